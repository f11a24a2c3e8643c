#!/bin/sh
# The page of the web application. The lock is for two first visits at once; a sequence would skip
# numbers after a crash.
visit="$(psql "$DATABASE_URL" --quiet --no-align --tuples-only --set ON_ERROR_STOP=1 2>&1 <<'SQL'
BEGIN;
DO $$ BEGIN PERFORM pg_advisory_xact_lock(1); END $$;
SET LOCAL client_min_messages = warning;
CREATE TABLE IF NOT EXISTS visits (one boolean PRIMARY KEY DEFAULT true CHECK (one), count bigint NOT NULL);
INSERT INTO visits (count) VALUES (1) ON CONFLICT (one) DO UPDATE SET count = visits.count + 1 RETURNING count;
COMMIT;
SQL
)" || {
  printf 'Status: 503 Service Unavailable\r\nContent-Type: text/plain\r\n\r\nno database: %s\n' "$visit"
  exit
}
printf 'Content-Type: text/plain\r\n\r\nhello from my-app: visit %s\n' "$visit"
