#!/usr/bin/env bash
# Services that register themselves, and whoever looks for them, by curl alone.
#
#   ./discovery.sh register web 10.0.0.1:80     # stays until Ctrl-C
#   ./discovery.sh list web
#   ./discovery.sh watch web
set -euo pipefail
. "$(dirname "$0")/client.sh"
: "${TTL:=5}"

register() {
	local key="services/$1/$2" lease ttl
	trap '[ -z "${lease-}" ] || post lease/revoke "{\"ID\":\"$lease\"}" >/dev/null; echo "signed off"; exit 0' INT TERM
	while :; do
		lease=$(post lease/grant "{\"TTL\":\"$TTL\"}" | jq -r .ID)
		post kv/put "{\"key\":\"$(b64 "$key")\",\"value\":\"$(b64 "$2")\",\"lease\":\"$lease\"}" >/dev/null
		echo "registered $key"
		while :; do # keep the lease alive; no TTL in the answer means that it is gone: we were away for too long
			sleep "$((TTL / 3)).3" &
			wait $! || : # a signal ends it
			ttl=$(post lease/keepalive "{\"ID\":\"$lease\"}" | jq -r '.result.TTL // 0')
			[ "$ttl" != 0 ] || break
		done
		echo "the lease was lost; registering again"
	done
}

range() { printf '"key":"%s","range_end":"%s"' "$(b64 "services/$1/")" "$(b64 "$(prefix_end "services/$1/")")"; }

list() { post kv/range "{$(range "$1")}" | jq -r '.kvs[]?.value' | while read -r v; do text <<<"$v"; echo; done; }

# watch prints who comes and goes. It reads all, then watches from the revision behind. When the stream breaks off, it
# goes on at another member behind the last change it has seen. Only if that has been compacted is something missed, and
# then it reads all anew and compares.
watch() {
	local known="" now revision
	while :; do
		now=$(post kv/range "{$(range "$1")}")
		revision=$(($(jq -r .header.revision <<<"$now") + 1))
		now=$(jq -r '.kvs[]?.key | @base64d' <<<"$now" | sort)
		comm -13 <(echo "$known") <(echo "$now") | sed -n 's/^./there: &/p'
		comm -23 <(echo "$known") <(echo "$now") | sed -n 's/^./gone: &/p'
		known=$now
		echo "watching from revision $revision"
		follow "$1"
	done
}

# follow prints changes from $revision on, and returns when that has been compacted. A stream is one JSON object a line.
follow() {
	local endpoint line events
	while :; do
		for endpoint in ${ENDPOINTS//,/ }; do
			while read -r line; do
				[ "$(jq -r '.result.compact_revision // 0' <<<"$line")" = 0 ] || return 0
				events=$(jq -r '.result.events[]? | "\(if .type == "DELETE" then "gone" else "there" end): \(.kv.key | @base64d)"' <<<"$line")
				[ -n "$events" ] || continue
				echo "$events"
				known=$(remember <<<"$events")
				# The change's own revision, not the header's: that can be ahead of what has been sent.
				revision=$(($(jq -r '.result.events[-1].kv.mod_revision' <<<"$line") + 1))
			done < <(curl -sN "$endpoint/v3/watch" -d "{\"create_request\":{$(range "$1"),\"start_revision\":\"$revision\"}}")
			sleep 0.2
		done
	done
}

# remember applies events to $known.
remember() {
	local what key
	while read -r what key; do
		known=$(grep -Fxv -e "$key" <<<"$known" || :)
		[ "$what" = gone: ] || known+=$'\n'$key
	done
	grep . <<<"$known" | sort || :
}

case "${1-}" in
register) register "$2" "$3" ;;
list) list "$2" ;;
watch) watch "$2" ;;
*)
	sed -n '2,6s/^# \{0,1\}//p' "$0" >&2
	exit 2
	;;
esac
