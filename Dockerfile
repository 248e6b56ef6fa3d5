# einmal in a container: the binary, certificates of authorities, a user without rights. docs/DEPLOYING.md says how to
# run it. Needs BuildKit, which is what `docker build` uses since Docker 23.

FROM rust:1.95-bookworm AS build
WORKDIR /src
# Only what the program is made from: see .dockerignore. A C compiler comes with the image, and nothing else is needed.
COPY Cargo.toml Cargo.lock einmal.example.toml ./
COPY crates crates
# Both directories are kept between builds and are no part of an image, so that only what has changed is compiled.
RUN --mount=type=cache,target=/usr/local/cargo/registry,sharing=locked \
    --mount=type=cache,target=/src/target,sharing=locked \
    cargo build --release --locked --package einmal --bin einmal \
    && install -D -m 0755 target/release/einmal /out/usr/bin/einmal \
    && install -d -m 0700 -o 65532 -g 65532 /out/var/lib/einmal \
    && install -d -m 0755 /out/etc/einmal

# The release of Debian that the build image is made from, so that the C library fits.
FROM debian:bookworm-slim
# The newest certificates, and no pinned ones.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --gid 65532 einmal \
    && useradd --uid 65532 --gid 65532 --home-dir /var/lib/einmal --no-create-home --shell /usr/sbin/nologin einmal
COPY --from=build /out/ /
# By number: Kubernetes cannot tell of a name whether it is root.
USER 65532:65532
WORKDIR /var/lib/einmal
# Only the store of SQLite and a file of events are written, if there are any: run it with --read-only.
VOLUME /var/lib/einmal
ENV EINMAL_CONFIG=/etc/einmal/einmal.toml
EXPOSE 8080 9090
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=5s --timeout=4s --start-period=20s --retries=3 CMD ["einmal", "health"]
ENTRYPOINT ["einmal"]
CMD ["serve"]
