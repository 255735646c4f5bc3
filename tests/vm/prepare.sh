#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Fetches Debian's own kernel package and makes from it what run_in_vm.sh boots: build/vm/vmlinux and build/vm/initramfs.
# Does nothing when both are there and were made by this script as it is now. Needs x86-64 and the packages of
# tools/setup.sh; needs root only if the package lists of apt are empty.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
PATH=$PATH:/usr/sbin:/sbin
# CAN for the tests of today; the simulated radios for those of the packet radio link; veth for network trouble; a GPIO
# card and a converter on an I2C bus for the pack's relays and sensors.
modules=(virtio_pci 9p 9pnet_virtio overlay vcan can-raw can-isotp can-gw veth sch_netem mac80211_hwsim
  gpio-pci-idio-16 i2c-stub i2c-dev ti-ads1015)

vm=$PWD/build/vm
key=$(sha256sum tests/vm/prepare.sh tests/vm/guest_init.sh | sha256sum | cut -d' ' -f1)
if [[ -f $vm/vmlinux && -f $vm/initramfs && -f $vm/key && $(<"$vm/key") == "$key" ]]; then exit 0; fi
[[ $(uname -m) == x86_64 ]] || { echo "vm: the micro-VM needs an x86-64 machine, this is $(uname -m)" >&2; exit 1; }

mkdir -p "$vm"
rm -f "$vm/key"
scratch=$(mktemp -d "$vm/prepare.XXXXXX")
trap 'rm -rf "$scratch"' EXIT

# linux-image-amd64 only depends on the newest kernel; that package is the one with the files.
kernel_package() { apt-cache depends linux-image-amd64 2>/dev/null | awk '$1 == "Depends:" && $2 ~ /^linux-image-/ {print $2; exit}'; }
package=$(kernel_package)
download() { [[ -n $package ]] && (cd "$scratch" && apt-get download -q -o APT::Sandbox::User=root "$package"); }
if ! download; then
  if ((EUID == 0)); then apt-get update -q; else sudo apt-get update -q; fi
  package=$(kernel_package)
  download || { echo "vm: cannot fetch the kernel package '$package'" >&2; exit 1; }
fi
dpkg-deb -x "$scratch"/*.deb "$scratch/kernel"
version=$(basename "$scratch"/kernel/lib/modules/*)
depmod -b "$scratch/kernel" "$version"

root=$scratch/root
mkdir -p "$root/bin" "$root/modules" "$root/lib/firmware"
cp /bin/busybox "$root/bin/busybox"
# The kernel looks for its table of countries when it loads Wi-Fi, before the host's files are there.
cp -L /lib/firmware/regulatory.db /lib/firmware/regulatory.db.p7s "$root/lib/firmware/"
cp tests/vm/guest_init.sh "$root/init"
chmod +x "$root/init"
# Each module once, after those it needs; the number in the name keeps that order.
number=100
for module in "${modules[@]}"; do
  modprobe -d "$scratch/kernel" -S "$version" --show-depends "$module"
done | awk '$1 == "insmod" && !seen[$2]++ {print $2}' | while read -r file; do
  cp "$file" "$root/modules/$((number++))-$(basename "$file")"
done
[[ -n $(ls "$root/modules") ]] || { echo "vm: no kernel module was found" >&2; exit 1; }
(cd "$root" && find . | cpio --quiet -o -H newc | gzip -1) >"$scratch/initramfs"
# Unpacked here: the emulated machine would need as long for it as for the rest of its start. The kernel is an xz stream in
# the file; where it lies is told by the header (Linux' boot protocol: setup_sects, payload_offset, payload_length).
python3 - "$scratch/kernel/boot/vmlinuz-$version" "$vm/vmlinux" <<'UNPACK'
import lzma, struct, sys
with open(sys.argv[1], "rb") as file:
    image = file.read()
start = (image[0x1F1] + 1) * 512 + struct.unpack_from("<I", image, 0x248)[0]
kernel = lzma.LZMADecompressor().decompress(image[start : start + struct.unpack_from("<I", image, 0x24C)[0]])
if kernel[:4] != b"\x7fELF":
    sys.exit("vm: the kernel package has no ELF file in it")
with open(sys.argv[2], "wb") as file:
    file.write(kernel)
UNPACK
mv "$scratch/initramfs" "$vm/initramfs"
echo "$key" >"$vm/key"
echo "vm: kernel $version is ready"
