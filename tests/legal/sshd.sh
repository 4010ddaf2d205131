#!/bin/bash
# SPDX-License-Identifier: MIT
# Debian's sshd, preloaded: a client logs in, and takes longer than two seconds for the passphrase, during which sshd's
# process for the connection waits in its seccomp filter.  It works as it does without, with a collector, with none, and
# with one that ends or is followed by another meanwhile.
# Optional: only root can run an sshd that shuts itself in.
# Labels: slow
. "$(dirname "$0")/../support/lib.sh"
[ "$(id -u)" = 0 ] || skip "not root"
need jq ssh ssh-keygen
[ -x /usr/sbin/sshd ] || need sshd

# OpenSSH 10 makes it.
HAD_SSH=$([ ! -e ~/.ssh ] || echo yes)
[ -d /run/sshd ] || mkdir -m 755 /run/sshd
chmod 711 "$WORK"
ssh-keygen -q -t ed25519 -N '' -f "$WORK/host"
ssh-keygen -q -t ed25519 -N 'long enough' -f "$WORK/key"
cp "$WORK/key.pub" "$WORK/authorized"
PORT=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
cat >"$WORK/sshd.conf" <<END
ListenAddress 127.0.0.1
Port $PORT
HostKey $WORK/host
PidFile none
AuthorizedKeysFile $WORK/authorized
StrictModes no
UsePAM no
PermitRootLogin yes
END
# What types the passphrase.
cat >"$WORK/ask" <<END
#!/bin/sh
: >"$WORK/asked"
sleep 2.5
echo 'long enough'
END
chmod +x "$WORK/ask"

start_sshd() {
        spawn "$@" /usr/sbin/sshd -D -e -f "$WORK/sshd.conf" 2>>"$WORK/sshd.log"
        SSHD=$SPAWNED
        wait_for "sshd" bash -c ": </dev/tcp/127.0.0.1/$PORT"
}
stop_sshd() {
        kill -TERM "$SSHD"
        wait_status "$SSHD"
        expect "sshd's end" "$STATUS" "$1"
}
log_in() {
        rm -f "$WORK/asked"
        SSH_ASKPASS=$WORK/ask SSH_ASKPASS_REQUIRE=force ssh -F none -p "$PORT" -i "$WORK/key" -o IdentitiesOnly=yes \
                -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o PreferredAuthentications=publickey \
                root@127.0.0.1 'echo logged in' </dev/null >"$WORK/ssh.out" 2>"$WORK/ssh.err" &
        CLIENT=$!
        wait_for "the prompt, or ssh's end" asked_or_gone
}
asked_or_gone() {
        [ -e "$WORK/asked" ] || lib_is_gone "$CLIENT"
}
# is_in WHAT
is_in() {
        wait_status "$CLIENT"
        if [ "$STATUS" != 0 ] || ! grep -qx 'logged in' "$WORK/ssh.out"; then
                echo "FAILED $1: ssh ended with $STATUS: $(tail -n 1 "$WORK/ssh.err")"
                FAILED=$((FAILED + 1))
        else
                echo "ok $1"
        fi
}

FAILED=0
start_sshd env
log_in
is_in "without spanalloc"
kill -TERM "$SSHD"
wait_status "$SSHD"
plain=$STATUS
[ "$FAILED" = 0 ] || fail "this machine's sshd refuses the login: $(cat "$WORK/sshd.log")"

start_sshd counted
log_in
is_in "no collector"
start_collector
log_in
is_in "a collector that came after sshd"
stop_sshd "$plain"

start_sshd counted
wait_true "sshd's row" "[.processes[] | select(.pid == $SSHD)] | length == 1" ps
log_in
is_in "attached"
log_in
stop_collector
is_in "the collector stops meanwhile"
log_in
is_in "the collector is stopped"
start_collector
log_in
is_in "the collector has been restarted"
log_in
stop_collector
start_collector
is_in "the collector is restarted meanwhile"
log_in
kill_collector
start_collector
is_in "the collector is replaced meanwhile"
stop_sshd "$plain"
json_true "balanced" '.processes | all(.balanced)' ps
stop_collector
[ -n "$HAD_SSH" ] || [ ! -e ~/.ssh ] || find ~/.ssh -depth -type d -empty -delete
[ "$FAILED" = 0 ] || fail "$FAILED of 8 logins"
pass "8 logins"
