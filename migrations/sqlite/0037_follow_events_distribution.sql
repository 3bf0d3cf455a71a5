-- On PostgreSQL this number spreads the tables over the workers of a Citus cluster. SQLite has none;
-- the statement keeps the numbers of both folders in step.
SELECT 1;
