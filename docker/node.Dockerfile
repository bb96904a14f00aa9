# The server process of a cluster (coordinator, worker or both), and the imagecluster command beside it.
#   docker build -f docker/node.Dockerfile -t imagecluster/node .
FROM mcr.microsoft.com/dotnet/sdk:10.0-noble AS build
WORKDIR /source

# Packages first: they change less often than the sources.
COPY Directory.*.props Directory.*.targets* BannedSymbols.txt .editorconfig global.json* ./
COPY src/ src/
COPY docs/manifest.schema.json docs/
RUN dotnet publish src/ImageCluster.Node -c Release --use-current-runtime --self-contained false -o /app -p:DebugType=none \
 && dotnet publish src/ImageCluster.Cli -c Release --use-current-runtime --self-contained false -o /cli -p:DebugType=none \
 && mkdir -p /empty/var/lib/imagecluster

# No shell and no package manager: what is not there cannot be misused.
FROM mcr.microsoft.com/dotnet/aspnet:10.0-noble-chiseled
COPY --from=build /app /app
COPY --from=build /cli /cli
COPY --from=build --chown=1654:1654 /empty/var/lib/imagecluster /var/lib/imagecluster
ENV PATH=/app:/cli:/usr/bin \
    DOTNET_EnableDiagnostics=0 \
    IMAGECLUSTER_JOURNAL__FILE=/var/lib/imagecluster/journal.db \
    IMAGECLUSTER_LOG__FORMAT=json
WORKDIR /var/lib/imagecluster
VOLUME /var/lib/imagecluster

# 8080: the HTTP API, health and metrics. 4053: other nodes. 9110: the operator's console (on loopback unless it is told otherwise).
EXPOSE 8080 4053 9110
USER 1654:1654
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s --retries=3 CMD ["/app/imagecluster-node", "--health"]
ENTRYPOINT ["/app/imagecluster-node"]
