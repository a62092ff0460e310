# 3.13-slim without a patch number: a rebuild takes in the base's security fixes.
FROM python:3.13-slim AS build
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY streamcheck ./streamcheck
RUN python -m venv /opt/streamcheck && /opt/streamcheck/bin/pip install --no-cache-dir .

FROM python:3.13-slim
COPY --from=build /opt/streamcheck /opt/streamcheck
# The state's folder belongs to the service's user, so that a volume mounted there does too.
RUN useradd --system --uid 10001 --no-create-home streamcheck \
    && install -d -o streamcheck -g streamcheck /var/lib/streamcheck
USER 10001
WORKDIR /var/lib/streamcheck
# No bytecode: the root filesystem may be read-only.
ENV PATH=/opt/streamcheck/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
EXPOSE 9108
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:9108/healthz', timeout=2)"]
ENTRYPOINT ["streamcheck"]
CMD ["--help"]
