-- On PostgreSQL this number copies the table to the workers of a Citus cluster. SQLite has none; the
-- statement keeps the numbers of both folders in step.
SELECT 1;
