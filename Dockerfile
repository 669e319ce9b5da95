# Builds a static binary and puts nothing else into the image.
#
#   docker build -t cubby .
#   docker run -p 6379:6379 -v cubby:/data -e CUBBY_ADMIN_PASSWORD=... cubby
#
# Without CUBBY_ADMIN_PASSWORD (or --requirepass) protected-mode serves only
# clients inside the container: those that come through -p are refused.
#
# Words after the image's name are further directives, and the last one of a
# name counts. A configuration file is one of them:
#   docker run ... -v ./redis.conf:/etc/cubby.conf:ro cubby --include /etc/cubby.conf

FROM golang:1.26-alpine AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 go build -trimpath -ldflags="-s -w" -o /out/cubby ./cmd/cubby \
    && mkdir /out/data

FROM scratch
COPY --from=build /out/cubby /cubby
# A new volume takes over the owner of the directory it is mounted on.
COPY --from=build --chown=65532:65532 /out/data /data
USER 65532:65532
WORKDIR /data
VOLUME /data
EXPOSE 6379
# "-::" is skipped where the container has no IPv6.
ENTRYPOINT ["/cubby", "serve", "--dir", "/data", "--bind", "0.0.0.0", "-::"]
