# An image of Entourage with its pages: docker build --tag entourage .
#
# The stages use the oldest Node and Rust that the project supports, and the same Debian to build
# and to run.

FROM node:20.19-bookworm-slim AS pages
WORKDIR /src
COPY playground/package.json playground/package-lock.json playground/
RUN npm ci --prefix playground --no-audit --no-fund
COPY schema.graphql ./
COPY playground playground
RUN npm run build --prefix playground

FROM rust:1.95-slim-bookworm AS binary
WORKDIR /src
COPY .cargo .cargo
COPY Cargo.toml Cargo.lock build.rs ./
COPY benches benches
COPY migrations migrations
COPY src src
COPY --from=pages /src/playground/dist playground/dist
RUN cargo build --locked --release --bin entourage
RUN mkdir /data

# No shell and no package manager; certificates and a user without privileges, 65532.
FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=binary /src/target/release/entourage /usr/local/bin/entourage
COPY --from=binary --chown=65532:65532 /data /data
ENV DATABASE_URL=sqlite:///data/entourage.db ENTOURAGE_LISTEN=0.0.0.0:8000
WORKDIR /data
USER 65532:65532
VOLUME /data
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=6s --start-period=30s CMD ["/usr/local/bin/entourage", "healthcheck"]
ENTRYPOINT ["/usr/local/bin/entourage"]
CMD ["serve"]
