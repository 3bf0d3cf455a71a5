-- On PostgreSQL this number spreads the table over the workers of a Citus cluster. SQLite has
-- nothing to spread; the statement keeps the numbers of both folders in step.
SELECT 1;
