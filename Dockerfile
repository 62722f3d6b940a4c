# The server, its production packages and nothing else: no compiler, no embedded PostgreSQL, no root.
# docker build -t koa-django-session . ; compose.yaml shows a whole site.
FROM node:24-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
COPY config/production/package.json config/production/
RUN npm ci --no-audit --no-fund
COPY tsconfig.json tsconfig.build.json ./
COPY config config
COPY migrations migrations
COPY server server
RUN npm run build

FROM node:24-bookworm-slim AS packages
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
COPY config/production/package.json config/production/
RUN npm ci --omit=dev --no-audit --no-fund

FROM node:24-bookworm-slim
ENV NODE_ENV=production HOST=0.0.0.0 PORT=8000
WORKDIR /app
COPY --from=packages /app/node_modules node_modules
COPY --from=packages /app/config/production config/production
COPY --from=build /app/dist dist
COPY package.json ./
COPY views views
COPY server/django server/django
USER node
EXPOSE 8000
# Whether the process runs, not whether the database does: an outage of the database must not get it killed.
HEALTHCHECK --interval=5s --timeout=3s --start-period=30s \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT}/livez`).then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
CMD ["node", "dist/server/main.js"]
