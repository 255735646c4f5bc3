#!/bin/busybox sh
# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=dash
# The first process of the micro-VM: loads the modules, mounts the host's file system and runs the job that the host
# left in its run folder. Two 9p shares: `root` is the host's whole tree, read-only and covered by a layer in the
# guest's memory, so that a test may install, remove and write what it likes and nothing of it reaches the host; `job`
# is the run folder, writable, for output and exit code. /tmp and /run are plain memory.
# With the file `systemd` in the job, systemd becomes the first process and the job runs as one of its services.
busybox=/bin/busybox
$busybox mkdir -p /proc /sys /dev /lower /layer /host
$busybox mount -t proc proc /proc
$busybox mount -t sysfs sysfs /sys
$busybox mount -t devtmpfs devtmpfs /dev
for module in /modules/*; do
  options=
  case $module in
    *mac80211_hwsim*) options=radios=3 ;;
    *i2c-stub*) options=chip_addr=0x48,0x49 ;;
  esac
  $busybox insmod "$module" $options || echo "vm: cannot load $module"
done

p9_options=trans=virtio,version=9p2000.L,msize=262144
$busybox mount -t 9p -o $p9_options,ro,cache=loose root /lower || echo "vm: cannot mount the host"
$busybox mount -t tmpfs -o size=75% tmpfs /layer
$busybox mkdir -p /layer/upper /layer/scratch
$busybox mount -t overlay -o lowerdir=/lower,upperdir=/layer/upper,workdir=/layer/scratch overlay /host ||
  echo "vm: cannot cover the host's tree"
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

environment="PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/run/tmp TMPDIR=/run/tmp LANG=C.UTF-8 AMPHORA_VM=1"
if [ -e /host$job/systemd ]; then
  # The machine's own mounts and services stay out: only what the job asks for is started; nor does it count as a container.
  # Generators would all run again whenever a package reloads the service manager, and each takes long here.
  : >/host/etc/fstab
  $busybox rm -f /host/.dockerenv /host/usr/sbin/policy-rc.d /host/lib/systemd/system-generators/*
  $busybox mkdir -p /host/run/systemd/system
  $busybox cat >/host/run/systemd/system/amphora-job.service <<UNIT
[Unit]
DefaultDependencies=no
Requires=basic.target
After=basic.target
[Service]
Type=oneshot
Environment=$environment
TimeoutStartSec=infinity
StandardOutput=file:$job/output
StandardError=inherit
ExecStart=/bin/sh -c '/bin/bash $job/command; echo \$\$? >$job/exit_code; sync; echo o >/proc/sysrq-trigger; sleep 60'
UNIT
  for unit in systemd-tmpfiles-setup systemd-udev-settle systemd-timesyncd systemd-networkd systemd-resolved systemd-firstboot \
    systemd-hwdb-update systemd-journal-flush systemd-udev-trigger systemd-udevd systemd-modules-load systemd-sysctl \
    systemd-update-utmp ldconfig; do
    $busybox ln -s /dev/null /host/run/systemd/system/$unit.service
  done
  $busybox ln -s /dev/null /host/run/systemd/system/tmp.mount
  exec $busybox switch_root /host /lib/systemd/systemd --unit=amphora-job.service --show-status=0
fi

# shellcheck disable=SC2086  # one word for each variable
$busybox chroot /host /usr/bin/env -i $environment /bin/bash $job/command >/host$job/output 2>&1 </dev/null
echo $? >/host$job/exit_code
$busybox sync
$busybox poweroff -f
