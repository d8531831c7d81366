#!/usr/bin/env bash
# Processes that take turns with a lock and count, each turn by one, by curl alone.
#
#   ./lock.sh a 10 & ./lock.sh b 10
#   STALL=10 ./lock.sh sleeper 1 & ./lock.sh b 50
#
# The lock's holder owns a key bound to its lease. A holder that sleeps for longer than the TTL loses the lock and does
# not know it, so each write is a transaction that holds only while that key is still the one it got: the sleeper writes
# nothing.
set -euo pipefail
. "$(dirname "$0")/client.sh"
: "${TTL:=5}" "${STALL:=0}" # seconds; STALL is how long the first turn sleeps with the lock, as if suspended

name=${1:-worker} turns=${2:-10}
counter=$(b64 jobs/curl-counter)

get() { post kv/range "{\"key\":\"$1\"}" | jq -c '.kvs[0] // empty'; }

# count KEY TOKEN MARK: counts by one while the lock is ours, and prints the number; fails if it is not ours any more.
count() {
	local kv number mod answer earlier
	while :; do
		kv=$(get "$counter")
		number=$(($(jq -r '.value | @base64d' <<<"${kv:-"{\"value\":\"MA==\"}"}") + 1))
		mod=$(jq -r '.mod_revision // 0' <<<"${kv:-"{}"}")
		answer=$(post kv/txn "{
			\"compare\": [
				{\"key\": \"$1\", \"target\": \"CREATE\", \"create_revision\": \"$2\"},
				{\"key\": \"$3\", \"target\": \"CREATE\", \"create_revision\": \"0\"},
				{\"key\": \"$counter\", \"target\": \"MOD\", \"mod_revision\": \"$mod\"}],
			\"success\": [
				{\"request_put\": {\"key\": \"$counter\", \"value\": \"$(b64 "$number")\"}},
				{\"request_put\": {\"key\": \"$3\", \"value\": \"$(b64 "$number")\"}}],
			\"failure\": [
				{\"request_range\": {\"key\": \"$3\"}},
				{\"request_range\": {\"key\": \"$1\"}}]}")
		if [ "$(jq -r '.succeeded // false' <<<"$answer")" = true ]; then
			echo "$number"
			return
		fi
		# The mark says that an earlier attempt of this turn had counted, though no answer came.
		earlier=$(jq -r '.responses[0].response_range.kvs[0].value // empty | @base64d' <<<"$answer")
		[ -z "$earlier" ] || { echo "$earlier" && return; }
		[ "$(jq -r '.responses[1].response_range.kvs[0].create_revision // 0' <<<"$answer")" = "$2" ] || return 1
	done
}

turn=0
while [ "$turn" -lt "$turns" ]; do
	lease=$(post lease/grant "{\"TTL\":\"$TTL\"}" | jq -r .ID)
	# Standing in line may take longer than one request may, so one that ended without an answer is repeated: with the
	# same lease it keeps its place. The lease is kept alive meanwhile.
	while sleep 1; do post lease/keepalive "{\"ID\":\"$lease\"}" >/dev/null; done &
	keeper=$!
	key=$(post lock/lock "{\"name\":\"$(b64 locks/curl)\",\"lease\":\"$lease\"}" | jq -r .key) || key=
	token=$(get "$key" | jq -r .create_revision)
	if [ "$STALL" != 0 ]; then # who is suspended keeps no lease alive
		kill "$keeper"
		sleep "$STALL"
		STALL=0
	fi
	if [ -n "$token" ] && number=$(count "$key" "$token" "$(b64 "jobs/curl-marks/$name/$turn")"); then
		echo "$name counted $number with token $token"
		turn=$((turn + 1))
	else
		echo "$name lost its turn: the lock is no longer its own"
	fi
	{ kill "$keeper" && wait "$keeper"; } 2>/dev/null || true
	post lease/revoke "{\"ID\":\"$lease\"}" >/dev/null || true
done
