#!/bin/busybox sh
# SPDX-License-Identifier: Apache-2.0
# The first process of the micro-VM: loads the modules, mounts the host's file system and runs the job that the host
# left in its run folder. Two 9p shares: `root` is the host's whole tree, read-only, so that no test can damage the
# machine it runs on; `job` is the run folder, writable, for output and exit code. /tmp and /run are the guest's own
# memory (databases need shared mappings, sockets need a real file system).
busybox=/bin/busybox
$busybox mkdir -p /proc /sys /dev /host
$busybox mount -t proc proc /proc
$busybox mount -t sysfs sysfs /sys
$busybox mount -t devtmpfs devtmpfs /dev
for module in /modules/*; do
  options=
  case $module in *mac80211_hwsim*) options=radios=3 ;; esac
  $busybox insmod "$module" $options || echo "vm: cannot load $module"
done

p9_options=trans=virtio,version=9p2000.L,msize=262144
$busybox mount -t 9p -o $p9_options,ro,cache=loose root /host || echo "vm: cannot mount the host"
$busybox mount -t proc proc /host/proc
$busybox mount -t sysfs sysfs /host/sys
$busybox mount -t devtmpfs devtmpfs /host/dev
$busybox mkdir -p /host/dev/pts /host/dev/shm
$busybox mount -t devpts devpts /host/dev/pts
$busybox mount -t tmpfs tmpfs /host/dev/shm
$busybox mount -t tmpfs tmpfs /host/run
job=/run/job
$busybox mkdir -p /host$job /host/run/tmp
$busybox mount -t 9p -o $p9_options job /host$job || echo "vm: cannot mount the job"
$busybox ip link set lo up

$busybox chroot /host /usr/bin/env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/run/tmp \
  TMPDIR=/run/tmp LANG=C.UTF-8 AMPHORA_VM=1 /bin/bash $job/command >/host$job/output 2>&1 </dev/null
echo $? >/host$job/exit_code
$busybox sync
$busybox poweroff -f
