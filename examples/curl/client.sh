# What the scripts share: etcd's JSON over HTTP. Keys and values go as base64, 64-bit numbers come as strings.
# Needs bash, curl and jq. ENDPOINTS: client URLs, separated by commas.
: "${ENDPOINTS:=http://localhost:2379}"

b64() { printf %s "$1" | base64 -w0; }
text() { base64 -d; }

# post PATH JSON: asks one member after the other until one answers. A request has three outcomes: done, refused (an
# object with "code"), and unclear: no answer, or one that says that there was no leader, or not in time (codes 14 and 4).
# What is unclear is repeated, so it must do no harm when it happens twice.
post() {
	local endpoint answer
	while :; do
		for endpoint in ${ENDPOINTS//,/ }; do
			answer=$(curl -s --max-time 4 "$endpoint/v3/$1" -d "$2") || continue
			case $(jq -r '.code // 0' <<<"$answer") in
			0) printf '%s\n' "$answer" && return 0 ;; # with its 0: in a trap a bare return keeps the interrupted command's status
			4 | 14) continue ;;
			*) printf '%s: %s\n' "$1" "$(jq -r .message <<<"$answer")" >&2 && return 1 ;;
			esac
		done
		sleep 0.2
	done
}

# prefix_end KEY: where the range of all keys with this prefix ends. (For prefixes that end in an ASCII character.)
prefix_end() {
	local last
	last=$(printf '%d' "'${1: -1}")
	printf '%s' "${1%?}$(printf "\\x$(printf %x $((last + 1)))")"
}
