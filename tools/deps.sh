#!/bin/sh
# What the make targets need from the machine, and how it gets there.
#
#	tools/deps.sh GROUP...     installs what these groups need and the machine lacks
#	tools/deps.sh --doctor     lists every tool with its version, or how to get it
#
# Groups: build, run, test, fuzz, lint, debug. The check looks for commands and files and takes
# some hundredths of a second. Only Debian and its relatives are installed on; elsewhere
# the package list is printed and the caller stops. Set HIGHWATER_NO_INSTALL=1 to be told
# instead of helped on Debian, too.
set -u

# groups | Debian package | kind | what to look for: one of the names is enough
#   cmd   a command on PATH      file  a file      py  a Python module
#   rt    a run-time library of the clang on PATH
table='
build|gcc|cmd|x86_64-elf-gcc x86_64-linux-gnu-gcc gcc
build|nasm|cmd|nasm
build|python3|cmd|python3
build|grub-common|cmd|grub-mkrescue grub2-mkrescue
build|grub-pc-bin|file|/usr/lib/grub/i386-pc/moddep.lst /usr/share/grub2/i386-pc/moddep.lst
build|grub-efi-amd64-bin|file|/usr/lib/grub/x86_64-efi/moddep.lst /usr/share/grub2/x86_64-efi/moddep.lst
build|xorriso|cmd|xorriso
build|mtools|cmd|mformat
run|qemu-system-x86|cmd|qemu-system-x86_64
run|ovmf|file|/usr/share/OVMF/OVMF_CODE_4M.fd /usr/share/OVMF/OVMF_CODE.fd /usr/share/ovmf/OVMF.fd /usr/share/edk2/ovmf/OVMF_CODE.fd /usr/share/edk2/x64/OVMF_CODE.4m.fd /usr/share/edk2-ovmf/x64/OVMF_CODE.fd /usr/share/qemu/ovmf-x86_64-code.bin
run|python3-tomli|py|tomllib tomli
test lint|libc6-dev|file|/usr/include/stdio.h
test|acpica-tools|cmd|iasl
test|python3-pytest|py|pytest
test|python3-pytest-xdist|py|xdist
test|python3-pexpect|py|pexpect
test|python3-hypothesis|py|hypothesis
test fuzz lint|clang|cmd|clang
test fuzz|libclang-rt-dev|rt|fuzzer
fuzz|llvm|cmd|llvm-cov llvm-cov-14 llvm-cov-15 llvm-cov-16 llvm-cov-17 llvm-cov-18 llvm-cov-19 llvm-cov-20 llvm-cov-21
lint|clang-format|cmd|clang-format
lint|cppcheck|cmd|cppcheck
lint|pyflakes3|py|pyflakes
test debug|gdb|cmd|gdb
'

python=python3
[ -x /usr/bin/python3 ] && python=/usr/bin/python3

# Debian's place first: starting Python only to ask takes ten times as long.
has_module() {
	for place in /usr/lib/python3/dist-packages /usr/lib/python3.1[1-9]; do
		[ -e "$place/$1" ] || [ -e "$place/$1.py" ] && return 0
	done
	command -v "$python" >/dev/null 2>&1 && "$python" -c "import $1" >/dev/null 2>&1
}

# Where clang has libclang_rt.NAME; older ones put the architecture into the file's name.
runtime_library() {
	command -v clang >/dev/null 2>&1 || return 1
	for file in "libclang_rt.$1-$(uname -m).a" "libclang_rt.$1.a"; do
		path=$(clang -print-file-name="$file") && [ -e "$path" ] && echo "$path" && return 0
	done
	return 1
}

# The package that fits: run-time libraries belong to the version of the clang that is here.
package_for() {
	if [ "$1" = libclang-rt-dev ] && command -v clang >/dev/null 2>&1; then
		echo "libclang-rt-$(clang -dumpversion | cut -d . -f 1)-dev"
	else
		echo "$1"
	fi
}

# found KIND NAMES: succeeds and leaves what it found in $hit.
found() {
	for hit in $2; do
		case $1 in
		cmd) command -v "$hit" >/dev/null 2>&1 && return 0 ;;
		file) [ -e "$hit" ] && return 0 ;;
		py) has_module "$hit" && return 0 ;;
		rt) hit=$(runtime_library "$hit") && return 0 ;;
		esac
	done
	return 1
}

version_of() {
	case $1:$2 in
	cmd:nasm | cmd:iasl) "$2" -v 2>&1 | grep -m1 -i version ;;
	cmd:xorriso) "$2" -version 2>/dev/null | head -n 1 ;;
	cmd:python3) "$python" --version ;;
	cmd:*) "$2" --version 2>&1 | grep -m1 . ;;
	file:* | rt:*) echo "$2" ;;
	py:*) echo "Python module $2" $("$python" -c "import $2; print(getattr($2, '__version__', ''))") ;;
	esac
}

# missing GROUPS: the packages that are not here.
missing() {
	echo "$table" | while IFS='|' read -r group package kind names; do
		for wanted in $1; do
			case " $group " in
			*" $wanted "*)
				found "$kind" "$names" || printf ' %s' "$(package_for "$package")"
				break
				;;
			esac
		done
	done
}

other_systems() {
	cat >&2 <<END
deps: this is not a Debian system; install these, then try again:
  Fedora    sudo dnf install gcc make git nasm python3 grub2-tools-extra grub2-pc-modules grub2-efi-x64-modules xorriso mtools qemu-system-x86-core edk2-ovmf libasan libubsan acpica-tools python3-pytest python3-pytest-xdist python3-pexpect python3-hypothesis clang compiler-rt llvm clang-tools-extra cppcheck python3-pyflakes gdb
  Arch      sudo pacman -S --needed base-devel git nasm python grub libisoburn mtools qemu-system-x86 edk2-ovmf acpica python-pytest python-pytest-xdist python-pexpect python-hypothesis clang compiler-rt llvm cppcheck python-pyflakes gdb
  openSUSE  sudo zypper install gcc make git nasm python3 grub2 grub2-i386-pc grub2-x86_64-efi xorriso mtools qemu-x86 qemu-ovmf-x86_64 acpica python3-pytest python3-pytest-xdist python3-pexpect python3-hypothesis clang clang-tools llvm cppcheck python3-pyflakes gdb
  Alpine    sudo apk add build-base git nasm python3 grub grub-bios grub-efi xorriso mtools qemu-system-x86_64 ovmf iasl py3-pytest py3-pytest-xdist py3-pexpect py3-hypothesis clang compiler-rt llvm clang-extra-tools cppcheck py3-pyflakes gdb
  macOS     brew install make x86_64-elf-gcc x86_64-elf-grub nasm python xorriso mtools qemu acpica llvm clang-format cppcheck x86_64-elf-gdb && pip3 install pytest pytest-xdist pexpect hypothesis pyflakes
  any       a container: podman build -t highwater . && podman run --rm -it highwater make run
END
}

# apt ARGS...: runs apt-get, shows each package as it is set up, and all of it on failure.
apt() {
	log=$(mktemp) || return 1
	(
		$sudo env DEBIAN_FRONTEND=noninteractive apt-get -q -y \
			-o DPkg::Lock::Timeout=600 -o Dpkg::Use-Pty=0 "$@" 2>&1
		echo "apt-get status $?"
	) </dev/null | while IFS= read -r line; do
		case $line in
		"apt-get status 0") exit 0 ;;
		"apt-get status "*) exit 1 ;;
		"Setting up "*) line=${line#Setting up } && echo "  setting up ${line%% *}" ;;
		*) echo "$line" >>"$log" ;;
		esac
	done
	status=$?
	[ $status -eq 0 ] || tail -n 15 "$log" >&2
	rm -f "$log"
	return $status
}

install() {
	if ! command -v apt-get >/dev/null 2>&1; then
		echo "deps: missing here (by Debian's names):$1" >&2
		other_systems
		return 1
	fi
	sudo=
	if [ "${HIGHWATER_NO_INSTALL:-0}" = 1 ]; then
		echo "deps: missing, and not to be installed: run apt-get install$1" >&2
		return 1
	elif [ "$(id -u)" != 0 ]; then
		if ! command -v sudo >/dev/null 2>&1; then
			echo "deps: missing, and no sudo here: as root, run apt-get install$1" >&2
			return 1
		fi
		sudo=sudo
	fi
	echo "deps: installing with apt-get:$1"
	apt update || {
		echo "deps: 'apt-get update' failed: is the network up?" >&2
		return 1
	}
	# shellcheck disable=SC2086 # a list of packages
	apt install --no-install-recommends $1 || {
		echo "deps: 'apt-get install$1' failed; its last lines are above" >&2
		return 1
	}
}

doctor() {
	lacking=0
	while IFS='|' read -r group package kind names; do
		[ -n "$group" ] || continue
		if found "$kind" "$names"; then
			printf '%-10s %-22s %s\n' "$group" "$package" "$(version_of "$kind" "$hit")"
		else
			printf '%-10s %-22s MISSING: apt-get install %s\n' "$group" "${names%% *}" "$(package_for "$package")"
			lacking=$((lacking + 1))
		fi
	done <<END
$table
END
	if [ "$lacking" = 0 ]; then
		echo "Everything is here."
		return 0
	fi
	echo "$lacking missing. Each make target installs what it needs by itself on Debian and Ubuntu."
	command -v apt-get >/dev/null 2>&1 || other_systems
	return 1
}

if [ "${1:-}" = --doctor ]; then
	doctor
	exit
fi
lacking=$(missing "$*")
[ -n "$lacking" ] || exit 0
install "$lacking" || exit 1
lacking=$(missing "$*")
if [ -n "$lacking" ]; then
	echo "deps: apt-get installed them, yet still not found:$lacking" >&2
	exit 1
fi
