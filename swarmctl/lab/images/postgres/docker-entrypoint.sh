#!/bin/bash
# Create the database cluster at the first start, then become the server.
# Understands the official image's POSTGRES_USER, POSTGRES_PASSWORD, POSTGRES_DB (each also as
# …_FILE), POSTGRES_INITDB_ARGS, PGDATA and /docker-entrypoint-initdb.d/*.{sh,sql,sql.gz}.
set -euo pipefail

# Print the value of $1, or the content of the file that ${1}_FILE names, or the default $2.
setting() {
    local file_variable="${1}_FILE"
    if [ -n "${!1:-}" ] && [ -n "${!file_variable:-}" ]; then
        echo "error: both $1 and $file_variable are set; set one" >&2
        return 1
    fi
    if [ -n "${!file_variable:-}" ]; then
        cat -- "${!file_variable}"
    else
        printf '%s' "${!1:-${2:-}}"
    fi
}

create_cluster() {
    local user password database auth=scram-sha-256
    user=$(setting POSTGRES_USER postgres)
    password=$(setting POSTGRES_PASSWORD)
    database=$(setting POSTGRES_DB "$user")
    if [ "${POSTGRES_HOST_AUTH_METHOD:-}" = trust ]; then
        auth=trust
    elif [ -z "$password" ]; then
        echo "error: the database is not initialised and there is no superuser password;" \
             "set POSTGRES_PASSWORD or POSTGRES_PASSWORD_FILE" >&2
        exit 1
    fi
    # POSTGRES_INITDB_ARGS is a list of words, as in the official image.
    # shellcheck disable=SC2086
    initdb --username="$user" --pwfile=<(printf '%s\n' "${password:-unused}") \
        --auth-local=trust --auth-host="$auth" --encoding=UTF8 ${POSTGRES_INITDB_ARGS:-}
    printf '\nhost all all all %s\n' "${POSTGRES_HOST_AUTH_METHOD:-$auth}" >> "$PGDATA/pg_hba.conf"
    sed -i "s/^#\?listen_addresses.*/listen_addresses = '*'/" "$PGDATA/postgresql.conf"

    # Until its scripts have run, the server listens on its socket only: nobody meets a half-made
    # database over the network.
    pg_ctl --wait start -o "-c listen_addresses='' -p 5432" >/dev/null
    export PGUSER=$user PGDATABASE=$database
    if [ "$database" != postgres ]; then
        psql --no-psqlrc --set ON_ERROR_STOP=1 --dbname postgres --set name="$database" \
            <<<'CREATE DATABASE :"name";'
    fi
    local script
    for script in /docker-entrypoint-initdb.d/*; do
        case $script in
            *.sh) echo "running $script"; bash -e "$script" ;;
            *.sql) echo "running $script"; psql --no-psqlrc --set ON_ERROR_STOP=1 --file "$script" ;;
            *.sql.gz) echo "running $script"; gunzip -c "$script" | psql --no-psqlrc --set ON_ERROR_STOP=1 ;;
        esac
    done
    pg_ctl --wait --mode fast stop >/dev/null
    echo "database cluster created in $PGDATA"
}

# "postgres -c …" may be given as "-c …" alone.
if [ "${1:0:1}" = - ]; then
    set -- postgres "$@"
fi
if [ "$1" = postgres ]; then
    if [ "$(id -u)" = 0 ]; then
        mkdir -p "$PGDATA" /var/run/postgresql
        chown -R postgres:postgres "$PGDATA" /var/run/postgresql
        chmod 0700 "$PGDATA"
        exec setpriv --reuid=postgres --regid=postgres --init-groups "$0" "$@"
    fi
    if [ ! -s "$PGDATA/PG_VERSION" ]; then
        create_cluster
    fi
fi
exec "$@"
