# One image for every process; docker-compose.yml says which command each container runs.
FROM python:3.11-slim-bookworm AS packages
WORKDIR /app
RUN python3 -m venv /app/.venv
COPY requirements.txt .
RUN /app/.venv/bin/pip install --no-cache-dir --no-input --require-hashes --no-deps -q -r requirements.txt

FROM python:3.11-slim-bookworm
RUN groupadd --gid 10001 tcpdashboard \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /app --shell /usr/sbin/nologin tcpdashboard
WORKDIR /app
COPY --from=packages /app/.venv .venv
COPY . .
ENV PATH=/app/.venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    DJANGO_SETTINGS_MODULE=tcpdashboard.settings \
    TCPD_VAR=/app/var \
    TCPD_LOG_FORMAT=json \
    TCPD_LOG_DIR=
# Compiled and static files belong to the code; nothing here connects to the addresses.
RUN python -m compileall -q -x '/\.venv/' /app \
    && TCPD_SECRET_KEY=unused DATABASE_URL=postgres://unused REDIS_URL=redis://unused \
        python manage.py collectstatic --no-input --verbosity 0 \
    && install -d -o 10001 -g 10001 var/exchange var/media var/archives var/artefacts var/columns \
    && chown 10001:10001 var
USER 10001
EXPOSE 8000
CMD ["python", "manage.py", "serve", "--host", "0.0.0.0", "--port", "8000"]
