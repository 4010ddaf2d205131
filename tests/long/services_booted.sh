#!/bin/bash
# SPDX-License-Identifier: MIT
# In the system that services.sh makes: each service is enabled, started, put under load, looked at, and stopped.
. "$(dirname "$0")/../support/booted.sh"
boot_cached() { BOOT_CACHED=$SERVICES_ROOT; }
boot_up
inside ip link set lo up
mkdir "$(boot_file /opt/debs)"
cp "$DEBS"/*.deb "$(boot_file /opt/debs)"
inside bash -c 'DEBIAN_FRONTEND=noninteractive dpkg -i /opt/debs/*.deb' >"$WORK/dpkg" 2>&1 || fail "$(cat "$WORK/dpkg")"

# of_unit UNIT FILTER: over its rows.
of_unit() {
        json "[.processes[] | select(.unit == \"$1\")] | $2" ps
}

# service UNIT LEAST LOAD: the load is a shell's command in there, whose status counts; LEAST allocations are expected.
service() (
        unit=$1.service least=$2
        set +e
        said=$(inside spanallocctl enable "$1" 2>&1) || { echo "not ok enable $1: $said"; exit; }
        inside systemctl start "$1" >"$WORK/out" 2>&1 || {
                echo "not ok start of $1: $(inside journalctl -q --no-pager -n 5 -o cat -u "$1" | tr '\n' ' ')"
                exit
        }
        for _ in $(seq 100); do
                [ "$(of_unit "$unit" length)" != 0 ] && break
                sleep 0.1
        done
        said=$(inside timeout 300 bash -c "$3" 2>&1) || { echo "not ok load on $1: $(tail -n 3 <<<"$said" | tr '\n' ' ')"; exit; }
        rows=$(of_unit "$unit" '"\(length) processes, \(map(.alloc_count) | add) allocations, \(map(.alloc_bytes) | add) bytes"')
        [ "$(of_unit "$unit" "map(.alloc_count) | add >= $least")" = true ] || { echo "not ok $1: $rows"; exit; }
        echo "ok $1 under load: $rows"
        wrong=$(of_unit "$unit" '[.[] | select(.alive and (.counting | startswith("libspanalloc-malloc") | not)) |
                "\(.comm): \(.counting)"] | join(", ")')
        [ -z "$wrong" ] && echo "ok $1: all its processes are counted" || echo "not ok $1: $wrong"
        wrong=$(of_unit "$unit" '[.[] | select(.balanced | not) | .comm] | join(", ")')
        [ -z "$wrong" ] && echo "ok $1: its books balance" || echo "not ok $1: books of $wrong"
        # What a process has: what it inherited, and allocated, and did not free; never less than nothing.
        wrong=$(of_unit "$unit" '[.[] | select(.alive and .net_quality != "unknown") |
                select(.net_bytes != ([.inherited_bytes + .alloc_bytes - .dealloc_bytes, 0] | max)) | .comm] | join(", ")')
        [ -z "$wrong" ] && echo "ok $1: each has what it inherited and did not free" || echo "not ok $1: net of $wrong"
        inside systemctl stop "$1"
        result=$(boot_property "$unit" Result)
        [ "$result" = success ] && echo "ok $1: it ends well" || echo "not ok $1: $result"
)

pg=$(inside bash -c 'ls /etc/postgresql | head -n 1')
php=$(inside cat /etc/php-unit)
echo '<?php $a = []; for ($i = 0; $i < 2000; $i++) { $a[] = str_repeat("x", $i); } echo count($a), "\n";' \
        >"$(boot_file /var/www/html/load.php)"
head -c 100000 /dev/urandom >"$(boot_file /var/www/html/load.bin)"

service redis-server 10000 'redis-benchmark -q -n 20000 -c 8 -t set,get,lpush,hset -r 1000 && redis-cli save'
service memcached 100 'for i in $(seq 200); do printf "set k$i 0 0 5\r\nhello\r\nget k$i\r\nquit\r\n" >/dev/tcp/127.0.0.1/11211; done'
service nginx 100 'ab -q -n 2000 -c 8 http://127.0.0.1/load.bin && nginx -t'
service "postgresql@$pg-main" 10000 'cd /tmp && runuser -u postgres -- bash -euc "createdb bench; pgbench -q -i bench; pgbench -n -c 4 -T 10 bench"'
service "${php%.service}" 100 'systemctl start apache2 && [ "$(curl -s http://127.0.0.1:8080/load.php)" = 2000 ] &&
        ab -q -n 300 -c 4 http://127.0.0.1:8080/load.php && systemctl stop apache2'
service apache2 1000 'ab -q -n 2000 -c 8 http://127.0.0.1:8080/load.bin && apachectl -k graceful && sleep 2 &&
        ab -q -n 500 -c 8 http://127.0.0.1:8080/load.bin'
service named 2000 'for i in $(seq 50); do dig +time=5 +tries=1 @127.0.0.1 localhost +short | grep -qx 127.0.0.1 || exit; done'
service ssh 1000 'mkdir -p ~/.ssh && ssh-keygen -q -t ed25519 -N "" -f ~/.ssh/id && cp ~/.ssh/id.pub ~/.ssh/authorized_keys &&
        for i in 1 2 3 4 5; do
                [ "$(ssh -i ~/.ssh/id -o StrictHostKeyChecking=no -o BatchMode=yes 127.0.0.1 echo hello 2>/dev/null)" = hello ] || exit
        done'
# Chromium has an allocator of its own, and sandboxes of namespaces and seccomp for most of its processes: it does what it
# does without spanalloc, and each row that does not count says why.
cat >"$(boot_file /opt/page.html)" <<'END'
<html><body><p id="p">nothing</p><script>
let words = [];
for (let i = 0; i < 20000; i++) words.push("k" + i);
document.getElementById("p").textContent = "sum " + words.join("").length;
</script></body></html>
END
browse() { # PROFILE COMMAND…
        local profile=/tmp/$1
        shift
        inside_as bob timeout 180 "$@" --headless --disable-gpu --disable-dev-shm-usage --user-data-dir="$profile" --dump-dom \
                file:///opt/page.html 2>"$WORK/browser.err" | grep -o 'sum [0-9][0-9]*'
}
for sandbox in own none; do
        switch=(chromium)
        [ "$sandbox" = own ] || switch+=(--no-sandbox)
        plain=$(browse "plain-$sandbox" "${switch[@]}") || {
                echo "skipped chromium, sandbox: $sandbox: it does not work here without spanalloc: $(tail -n 1 "$WORK/browser.err")"
                continue
        }
        status=0
        with=$(browse "with-$sandbox" spanallocctl run --json=short -o "/tmp/$sandbox.json" -- "${switch[@]}") || status=$?
        [ "$status $with" = "0 $plain" ] && echo "ok chromium, sandbox: $sandbox: $with, as without" ||
                echo "not ok chromium, sandbox: $sandbox: ended with $status, '$with', should be '$plain': $(tail -n 2 "$WORK/browser.err" | tr '\n' ' ')"
        rows=$(jq -r '[.processes[] | select(.exe | tostring | endswith("/chromium"))] |
                "\(length) \(map(select(.counting | test("^(nothing|not counted): "))) | length) \(map(select(.balanced | not)) | length)
                \(map(select(.ended | test("SIG(SYS|SEGV|ABRT|BUS|ILL|TRAP)"))) | length)"' "$(boot_file "/tmp/$sandbox.json")" | tr -s ' \n' ' ')
        read -r all uncounted unbalanced crashed <<<"$rows"
        [ "${all:-0}" -gt 3 ] && [ "$uncounted" = "$all" ] && [ "$unbalanced$crashed" = 00 ] &&
                echo "ok chromium, sandbox: $sandbox: $all processes, each with its reason" ||
                echo "not ok chromium, sandbox: $sandbox: of $all processes $uncounted have a reason, $unbalanced do not balance, $crashed crashed"
        [ "$(jq .complete "$(boot_file "/tmp/$sandbox.json")")" = false ] && echo "ok chromium: the report is not complete, and says so" ||
                echo "not ok chromium: the report says that it is complete"
done
[ "$(json '[.processes[] | select(.balanced | not)] | length' ps)" = 0 ] && echo "ok all books balance" ||
        echo "not ok some books do not balance"
expect_status 0 ctl doctor || true
echo end
