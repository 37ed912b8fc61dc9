# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=dash
#
# Inside a machine of scripts/vm: does what the host asks for, run by busybox
# as process 1 after init.sh.
#
# The host talks to it through virtio ports.  A channel has the ports ctlN
# (requests and answers, a line each), inN, outN and errN (of the command that
# runs).  Requests, their arguments in base64:
#
#	run SCRIPT	bash runs it, input nothing, output and errors apart
#	run1 SCRIPT	the same, errors with the output
#	pipe SCRIPT	as run1, input from the host
#	tty SCRIPT	on the terminal /dev/hvc0
#	load		insmod scoutfs.ko
#	stop CHANNEL	kills what runs there
#	quit		unmounts, unloads, ends the machine
#
# Answers: "ready", "exit STATUS", "note TEXT", "bad TEXT", "bye".

here=/run/scoutfs-vm
bb=$here/busybox
mkdir -p $here/bin
$bb --install -s $here/bin
export PATH=$here/bin
cd /

setup() {
	mkdir -p /dev/pts /dev/shm
	mount -t devpts -o gid=5,mode=620,ptmxmode=666 devpts /dev/pts
	mount -t tmpfs -o mode=1777 tmpfs /dev/shm
	[ -e /dev/fd ] || ln -s /proc/self/fd /dev/fd
	[ -e /dev/stdin ] || ln -s fd/0 /dev/stdin
	[ -e /dev/stdout ] || ln -s fd/1 /dev/stdout
	[ -e /dev/stderr ] || ln -s fd/2 /dev/stderr
	mount -t debugfs debugfs /sys/kernel/debug 2>/dev/null
	mount -t tracefs tracefs /sys/kernel/tracing 2>/dev/null
	mount -t securityfs securityfs /sys/kernel/security 2>/dev/null
	mount -t configfs configfs /sys/kernel/config 2>/dev/null
	mount -t cgroup2 cgroup2 /sys/fs/cgroup 2>/dev/null
	mount -t fusectl fusectl /sys/fs/fuse/connections 2>/dev/null
	ip link set lo up
	hostname scoutfs-vm
	echo 60 >/proc/sys/kernel/hung_task_timeout_secs 2>/dev/null
	echo 1 >/proc/sys/kernel/sysrq
	dmesg -n 7
	cut -d' ' -f2 /proc/mounts >$here/mounts
}

# The device of a named port.  Ports get their names one after the other, a
# while after the machine has come up.
port() {
	local p name

	while :; do
		for p in /sys/class/virtio-ports/*; do
			read -r name <"$p/name" && [ "$name" = "$1" ] &&
				echo "/dev/${p##*/}" && return
		done 2>/dev/null
		usleep 20000
	done
}

# Waits for a copier of output: until it has ended, or has nothing to copy
# while somebody keeps its input open (it hangs in read(0, ...)).
drained() { # pid
	local idle=0

	while [ -d "/proc/$1" ] && [ $idle -lt 3 ]; do
		case $(cat "/proc/$1/syscall" 2>/dev/null) in
		"") break ;;
		"0 0x0 "*) idle=$((idle + 1)) ;;
		*) idle=0 ;;
		esac
		usleep 20000
	done
	kill "$1" 2>/dev/null
	wait "$1" 2>/dev/null
}

# Pipes instead of the ports themselves, because a port can be opened once
# only, and programs open /dev/stderr.
run() { # kind, channel; fd 4 and 5 are its ports
	local kind=$1 fifo=$here/pipe$2 script=$here/script$2 out err status

	mkfifo $fifo.out $fifo.err
	cat <$fifo.out >&4 3>&- 5>&- &
	out=$!
	cat <$fifo.err >&5 3>&- 4>&- &
	err=$!
	exec 8>$fifo.err
	case $kind in
	run) setsid /bin/bash $script </dev/null >$fifo.out 2>$fifo.err \
		3>&- 4>&- 5>&- 8>&- & ;;
	run1) setsid /bin/bash $script </dev/null >$fifo.out 2>&1 \
		3>&- 4>&- 5>&- 8>&- & ;;
	pipe)
		mkfifo $fifo.in
		cat "$(port "in$2")" >$fifo.in 3>&- 4>&- 5>&- 8>&- &
		setsid /bin/bash $script <$fifo.in >$fifo.out 2>&1 \
			3>&- 4>&- 5>&- 8>&- & ;;
	esac
	echo $! >$here/pid$2
	wait $!
	status=$?
	rm -f $here/pid$2
	exec 8>&-
	drained $out
	drained $err
	rm -f $fifo.*
	echo "exit $status" >&3
}

terminal() { # channel
	setsid -c /bin/bash $here/script$1 </dev/hvc0 >/dev/hvc0 2>&1 \
		3>&- 4>&- 5>&-
	status=$?
	stty -F /dev/hvc0 sane 2>/dev/null
	echo "exit $status" >&3
}

load() {
	insmod $here/scoutfs.ko ||
		echo "bad the module can not be loaded" >&3
	echo "exit 0" >&3
}

# Processes that are neither the kernel's nor ours.
others() {
	local dir

	for dir in /proc/[0-9]*; do
		[ "${dir#/proc/}" = 1 ] && continue
		case $(readlink "$dir/exe" 2>/dev/null) in
		""|"$bb") ;;
		*) echo "${dir#/proc/}" ;;
		esac
	done
}

end_others() {
	local try

	# shellcheck disable=SC2046
	kill $(others) 2>/dev/null
	for try in 1 2 3 4 5 6 7 8 9 10; do
		[ -z "$(others)" ] && return
		usleep 100000
	done
	# shellcheck disable=SC2046
	kill -9 $(others) 2>/dev/null
	for try in 1 2 3 4 5 6 7 8 9 10; do
		[ -z "$(others)" ] && return
		usleep 100000
	done
	for try in $(others); do
		echo "bad does not die: $try $(cat "/proc/$try/comm")" >&3
	done
}

left_mounts() {
	cut -d' ' -f2 /proc/mounts | grep -vxFf $here/mounts | tac
}

leaks() {
	local file=/sys/kernel/debug/kmemleak

	[ -w $file ] || return
	echo scan >$file
	sleep 5
	echo scan >$file
	[ -n "$(cat $file)" ] || return
	echo "bad kmemleak has found something" >&3
	cat $file >/dev/kmsg
}

quit() {
	local dir

	echo "scoutfs-vm: cleaning up" >/dev/kmsg
	end_others
	left_mounts | while read -r dir; do
		dir=$(printf %b "$dir")
		umount "$dir" || echo "bad $dir can not be unmounted" >&3
	done
	losetup -a | cut -d: -f1 | while read -r dir; do
		losetup -d "$dir"
	done
	leaks
	if [ -d /sys/module/scoutfs ] && ! rmmod scoutfs; then
		echo "bad the module can not be unloaded," \
			"$(cat /sys/module/scoutfs/refcnt) references" >&3
	fi
	dmesg -n 8
	echo "scoutfs-vm: end" >/dev/kmsg
	echo bye >&3
	usleep 50000
	poweroff -f
}

serve() { # channel
	local word arg

	exec 3<>"$(port "ctl$1")" 4>"$(port "out$1")" 5>"$(port "err$1")" || exit
	echo ready >&3
	while read -r word arg <&3; do
		case $word in
		load) load ;;
		stop)
			kill -9 "-$(cat $here/pid"$(echo "$arg" | base64 -d)")"
			echo "exit 0" >&3
			;;
		run|run1|pipe|tty)
			echo "$arg" | base64 -d >$here/script$1
			if [ "$word" = tty ]; then
				terminal "$1"
			else
				run "$word" "$1"
			fi
			;;
		quit) quit ;;
		esac
	done
}

setup
echo "scoutfs-vm: ready" >/dev/kmsg
channels=$(sed 's/.*scoutfs_vm=\([0-9]*\).*/\1/' /proc/cmdline)
channel=0
while [ $channel -lt "$channels" ]; do
	serve $channel &
	channel=$((channel + 1))
done
# Reaps what has lost its parent, too.
while :; do
	wait
	sleep 1
done
