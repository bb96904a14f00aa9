# The drop-in for qemu-img: one native binary.
#   docker build -f docker/qemu-img.Dockerfile -t imagecluster/qemu-img .
#   docker run --rm -v "$PWD:/images" imagecluster/qemu-img info disk.qcow2
FROM mcr.microsoft.com/dotnet/sdk:10.0-noble AS build
RUN apt-get update && apt-get install -y --no-install-recommends clang zlib1g-dev && rm -rf /var/lib/apt/lists/*
WORKDIR /source
COPY Directory.*.props Directory.*.targets* BannedSymbols.txt .editorconfig global.json* ./
COPY src/ src/
RUN case "$(uname -m)" in x86_64) rid=linux-x64 ;; aarch64) rid=linux-arm64 ;; esac \
 && dotnet publish src/ImageCluster.QemuImg -c Release -r "$rid" -p:PublishAot=true -o /app \
 && rm -f /app/*.dbg /app/*.pdb /app/*.xml \
 && mkdir -p /empty/images

FROM mcr.microsoft.com/dotnet/runtime-deps:10.0-noble-chiseled
COPY --from=build /app /app
COPY --from=build --chown=1654:1654 /empty/images /images
ENV PATH=/app:/usr/bin
WORKDIR /images
USER 1654:1654
# A command, not a service: that it starts is all there is to ask.
HEALTHCHECK --interval=1m --timeout=5s CMD ["/app/qemu-img", "--version"]
ENTRYPOINT ["/app/qemu-img"]
