"""Runs a command under another kernel: boot.py [options] KERNEL COMMAND [ARGUMENT...]

KERNEL is a directory that a Debian kernel package was unpacked into (dpkg -x PACKAGE.deb KERNEL). The
machine's own / is the root file system of the guest, read-only, with a scratch layer on top that is gone
afterwards; --share DIR is writable, under the same path. The exit status is the command's; 125 means that
the guest did not get that far.

The guest is emulated (no KVM), so it says what is correct on that kernel, never how fast. With --icount its
clock counts instructions: a nanosecond is one instruction of its one processor, whatever else the machine is
doing; a saturated guest's seconds are then its instructions. (An emulated string instruction counts once for
each step, so the processor shows the guest no fast byte copies: eight bytes a step come near a real one.)

Needs: qemu-system-x86, busybox-static, cpio, kmod.
"""

import argparse
import os
import pathlib
import shlex
import shutil
import subprocess
import sys
import tempfile
import time

MODULES = ("virtio_pci", "virtiofs", "overlay")
VIRTIOFSD = "/usr/lib/qemu/virtiofsd"

INIT = """#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev
for m in $(cat /modules); do insmod /mod/$m || echo "insmod $m failed"; done
mkdir -p /lower /scratch /root
mount -t virtiofs -o ro tag-root /lower || echo "cannot mount the root"
mount -t tmpfs -o mode=755 tmpfs /scratch; mkdir /scratch/upper /scratch/work
mount -t overlay -o lowerdir=/lower,upperdir=/scratch/upper,workdir=/scratch/work overlay /root || echo "no overlay"
for d in proc sys dev; do mount -o move /$d /root/$d; done
mount -t tmpfs tmpfs /root/run
mkdir -p /root/dev/pts /root/dev/shm; mount -t devpts devpts /root/dev/pts; mount -t tmpfs shm /root/dev/shm
mount -t cgroup2 cgroup2 /root/sys/fs/cgroup; mount -t tracefs tracefs /root/sys/kernel/tracing
mkdir -p "/root/@SHARE@"; mount -t virtiofs tag-share "/root/@SHARE@" || echo "cannot mount the share"
mkdir -p /root/lib/modules/@RELEASE@; mount -t virtiofs -o ro tag-modules /root/lib/modules/@RELEASE@
ip link set lo up
chroot /root /bin/sh "@SHARE@/.vm-command" </root/dev/null
echo $? > "/root/@SHARE@/.vm-status"
sync; poweroff -f
"""


def needed_modules(kernel, release):
    """Files of the modules that the guest needs to reach its root, in loading order."""
    subprocess.run(["depmod", "-b", kernel, release], check=True)
    files = []
    for module in MODULES:
        shown = subprocess.run(["modprobe", "-d", kernel, "-S", release, "--show-depends", module],
                               capture_output=True, text=True).stdout
        for line in shown.splitlines():
            kind, _, file = line.partition(" ")
            if kind == "insmod" and file.strip() not in files:
                files.append(file.strip())
    return files


def make_initramfs(directory, kernel, release, share):
    root = directory / "initramfs"
    for name in ("bin", "proc", "sys", "dev", "mod"):
        (root / name).mkdir(parents=True)
    shutil.copy(shutil.which("busybox"), root / "bin/busybox")
    names = []
    for file in needed_modules(kernel, release):
        name = pathlib.Path(file).name
        if name.endswith(".xz"):
            name = name[:-3]
            with open(root / "mod" / name, "wb") as out:
                subprocess.run(["xz", "-dc", file], stdout=out, check=True)
        else:
            shutil.copy(file, root / "mod" / name)
        names.append(name)
    (root / "modules").write_text(" ".join(names))
    init = root / "init"
    init.write_text(INIT.replace("@SHARE@", str(share)).replace("@RELEASE@", release))
    init.chmod(0o755)
    image = directory / "initramfs.img"
    with open(image, "wb") as out:
        files = subprocess.run(["find", "."], cwd=root, capture_output=True, check=True).stdout
        subprocess.run(["cpio", "-o", "-H", "newc", "--quiet"], cwd=root, input=files, stdout=out, check=True)
    return image


def share_folder(directory, tag, source):
    socket = directory / f"{tag}.sock"
    process = subprocess.Popen([VIRTIOFSD, f"--socket-path={socket}", "-o", f"source={source},cache=always,sandbox=chroot"],
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for _ in range(100):
        if socket.exists():
            break
        time.sleep(0.05)
    return process, ["-chardev", f"socket,id={tag},path={socket}",
                     "-device", f"vhost-user-fs-pci,chardev={tag},tag=tag-{tag}"]


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--icount", action="store_true")
    options.add_argument("--smp", type=int, default=2)
    options.add_argument("--memory", default="2G")
    options.add_argument("--share", default=None)
    options.add_argument("--timeout", type=int, default=900)
    options.add_argument("--console", action="store_true", help="show what the kernel says")
    options.add_argument("kernel")
    options.add_argument("command", nargs=argparse.REMAINDER)
    given = options.parse_args()
    kernel = str(pathlib.Path(given.kernel).resolve())
    release = os.listdir(kernel + "/lib/modules")[0]

    with tempfile.TemporaryDirectory(prefix="weir-vm-") as temporary:
        directory = pathlib.Path(temporary)
        share = pathlib.Path(given.share or directory / "share").resolve()
        share.mkdir(exist_ok=True)
        status = share / ".vm-status"
        status.unlink(missing_ok=True)
        (share / ".vm-command").write_text(
            f"cd {shlex.quote(os.getcwd())}\nexport PATH={shlex.quote(os.environ['PATH'])} HOME=/root\n"
            f"{shlex.join(given.command)} >{shlex.quote(str(share))}/.vm-output 2>&1\n")
        helpers, devices = [], []
        try:
            for tag, source in (("root", "/"), ("share", share), ("modules", f"{kernel}/lib/modules/{release}")):
                process, arguments = share_folder(directory, tag, source)
                helpers.append(process)
                devices += arguments
            accel = ["-accel", "tcg" if given.icount else "tcg,thread=multi"]
            if given.icount:
                accel += ["-icount", "shift=0,align=off,sleep=off"]
            subprocess.run(
                ["qemu-system-x86_64", "-nodefaults", "-no-reboot", "-nographic", "-machine", "q35",
                 "-cpu", "max,-erms,-fsrm" if given.icount else "max",
                 *accel, "-smp", str(1 if given.icount else given.smp), "-m", given.memory,
                 "-object", f"memory-backend-memfd,id=mem,size={given.memory},share=on", "-numa", "node,memdev=mem",
                 "-kernel", f"{kernel}/boot/vmlinuz-{release}",
                 "-initrd", str(make_initramfs(directory, kernel, release, share)),
                 "-append", "console=ttyS0 mitigations=off panic=-1 panic_on_oops=1 quiet "
                            + ("tsc=reliable " if given.icount else "") + ("loglevel=7" if given.console else "loglevel=3"),
                 "-serial", "stdio" if given.console else "null", *devices],
                stdin=subprocess.DEVNULL, timeout=given.timeout, check=False)
        finally:
            for process in helpers:
                process.terminate()
                process.wait()
        output = share / ".vm-output"
        if output.exists():
            sys.stdout.write(output.read_text(errors="replace"))
        sys.exit(int(status.read_text()) if status.exists() else 125)


main()
