"""Programs that our backtests are compared with, run in processes of their own."""
