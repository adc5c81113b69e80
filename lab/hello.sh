#!/bin/sh
# Says hello until it is told to stop.
greeting=Hello
every=5
while [ $# -gt 0 ]; do
	case $1 in
	--greeting) greeting=$2; shift 2 ;;
	--every) every=$2; shift 2 ;;
	*) echo "unknown argument $1; there are --greeting TEXT and --every SECONDS" >&2; exit 64 ;;
	esac
done

sleeping=
finish() {
	echo "$1"
	[ -z "$sleeping" ] || kill "$sleeping"
	exit 0
}
trap 'finish "Told to stop. Bye!"' TERM INT
trap 'finish "All work is done. Bye!"' USR1

line=0
while :; do
	line=$((line + 1))
	echo "$greeting from $NODEE_COORDINATE on $NODEE_NODE, line $line"
	sleep "$every" &
	sleeping=$!
	wait "$sleeping"
done
