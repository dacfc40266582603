"""What is stored leaves after its time: whole partitions, and trades in small steps."""
