// How many cores a process may keep busy, and how much memory it may still have, by the files in
// which the kernel says so.

#include "base/usable_cores.h"

#include <doctest/doctest.h>

#include <fstream>

#include "base/available_memory.h"
#include "temporary_folder.h"

using namespace easgd;
namespace fs = std::filesystem;

namespace {

/// A system's files, made up.
struct System {
  testing::TemporaryFolder folder;

  void write(const std::string& path, const std::string& text) const {
    fs::create_directories((folder.path() / path).parent_path());
    std::ofstream(folder.path() / path) << text;
  }
  std::optional<double> quota() const { return cpu_quota(folder.path()); }
  std::optional<std::uint64_t> memory() const { return available_memory(folder.path()); }
};

const std::string kUnified =
    "24 1 8:1 / / rw - ext4 /dev/sda1 rw\n"
    "31 24 0:27 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n";

}  // namespace

TEST_CASE("cores: where nothing limits the processor there is no quota") {
  System system;
  CHECK_FALSE(system.quota());
  system.write("proc/self/cgroup", "0::/user.slice/session-1.scope\n");
  CHECK_FALSE(system.quota());
  system.write("proc/self/mountinfo", kUnified);
  CHECK_FALSE(system.quota());
  system.write("sys/fs/cgroup/user.slice/cpu.max", "max 100000\n");
  CHECK_FALSE(system.quota());
}

TEST_CASE("cores: the quota of version 2 is the least on the way up") {
  System system;
  system.write("proc/self/mountinfo", kUnified);
  system.write("proc/self/cgroup", "0::/system.slice/docker-1/worker\n");
  system.write("sys/fs/cgroup/system.slice/docker-1/worker/cpu.max", "max 100000\n");
  system.write("sys/fs/cgroup/system.slice/docker-1/cpu.max", "150000 100000\n");
  CHECK(system.quota() == 1.5);
  system.write("sys/fs/cgroup/system.slice/cpu.max", "50000 100000\n");
  CHECK(system.quota() == 0.5);
  system.write("sys/fs/cgroup/system.slice/docker-1/worker/cpu.max", "20000 100000\n");
  CHECK(system.quota() == 0.2);
}

TEST_CASE("cores: a container sees its own group as the root of the mount") {
  System system;
  system.write("proc/self/mountinfo", kUnified);
  system.write("proc/self/cgroup", "0::/\n");
  system.write("sys/fs/cgroup/cpu.max", "200000 100000\n");
  CHECK(system.quota() == 2);

  // Without a namespace of its own it knows the host's name of it.
  System host;
  host.write("proc/self/mountinfo",
             "31 24 0:27 /docker/0a1b /sys/fs/cgroup ro - cgroup2 cgroup2 rw\n");
  host.write("proc/self/cgroup", "0::/docker/0a1b\n");
  host.write("sys/fs/cgroup/cpu.max", "300000 100000\n");
  CHECK(host.quota() == 3);
}

TEST_CASE("cores: version 1 has the quota with the cpu controller, wherever that is mounted") {
  System system;
  system.write("proc/self/mountinfo",
               "33 31 0:30 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
               "34 31 0:31 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n");
  system.write("proc/self/cgroup",
               "5:memory:/a/b\n4:cpu,cpuacct:/docker/0a1b\n1:cpuset:/x\n0::/\n");
  system.write("sys/fs/cgroup/cpu,cpuacct/docker/0a1b/cpu.cfs_quota_us", "-1\n");
  system.write("sys/fs/cgroup/cpu,cpuacct/docker/0a1b/cpu.cfs_period_us", "100000\n");
  CHECK_FALSE(system.quota());
  system.write("sys/fs/cgroup/cpu,cpuacct/docker/0a1b/cpu.cfs_quota_us", "250000\n");
  CHECK(system.quota() == 2.5);
  system.write("sys/fs/cgroup/cpu,cpuacct/docker/cpu.cfs_quota_us", "100000\n");
  system.write("sys/fs/cgroup/cpu,cpuacct/docker/cpu.cfs_period_us", "200000\n");
  CHECK(system.quota() == 0.5);
}

TEST_CASE("cores: files of the kernel that say nonsense limit nothing") {
  System system;
  system.write("proc/self/mountinfo", "31 24\n - \n" + kUnified + "no mount\n");
  for (const char* group : {"", "x", "0:", "0::", "::::", "0::relative", "0::/../../..", "0:://"}) {
    CAPTURE(group);
    system.write("proc/self/cgroup", std::string(group) + "\n");
    CHECK_FALSE(system.quota());
  }
  system.write("proc/self/cgroup", "0::/a\n");
  for (const char* quota : {"", "max", "100000 0", "-5 100000", "x y", "100000"}) {
    CAPTURE(quota);
    system.write("sys/fs/cgroup/a/cpu.max", quota);
    CHECK_FALSE(system.quota());
  }
}

TEST_CASE("cores: at least one, at most those that may be used") {
  CHECK(allowed_cores() >= 1);
  CHECK(usable_cores() >= 1);
  CHECK(usable_cores() <= allowed_cores());
}

TEST_CASE("memory: what the kernel calls available, if no group leaves less") {
  System system;
  CHECK_FALSE(system.memory());
  system.write("proc/meminfo", "MemTotal:  24000000 kB\nMemFree: 1 kB\nMemAvailable:  20000 kB\n");
  CHECK(system.memory() == 20000 * 1024);
  system.write("proc/self/mountinfo", kUnified);
  system.write("proc/self/cgroup", "0::/a/b\n");
  system.write("sys/fs/cgroup/a/b/memory.max", "max\n");
  system.write("sys/fs/cgroup/a/b/memory.current", "1000\n");
  CHECK(system.memory() == 20000 * 1024);
  system.write("sys/fs/cgroup/a/memory.max", "5000000\n");
  CHECK(system.memory() == 20000 * 1024);  // of what is used there nothing is said
  system.write("sys/fs/cgroup/a/memory.current", "4000000\n");
  CHECK(system.memory() == 1000000);
  system.write("sys/fs/cgroup/a/memory.stat", "anon 3000000\ninactive_file 500000\nfile 1\n");
  CHECK(system.memory() == 1500000);
  system.write("sys/fs/cgroup/a/b/memory.max", "3000\n");
  CHECK(system.memory() == 2000);
  system.write("sys/fs/cgroup/a/b/memory.current", "4000\n");
  CHECK(system.memory() == 0);
}

TEST_CASE("memory: version 1 has its limit with the memory controller") {
  System system;
  system.write("proc/meminfo", "MemAvailable: 20000 kB\n");
  system.write("proc/self/mountinfo",
               "33 31 0:30 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n");
  system.write("proc/self/cgroup", "5:memory:/a\n4:cpu,cpuacct:/x\n");
  system.write("sys/fs/cgroup/memory/a/memory.limit_in_bytes", "9223372036854771712\n");
  system.write("sys/fs/cgroup/memory/a/memory.usage_in_bytes", "70000\n");
  CHECK(system.memory() == 20000 * 1024);
  system.write("sys/fs/cgroup/memory/a/memory.limit_in_bytes", "100000\n");
  CHECK(system.memory() == 30000);
  system.write("sys/fs/cgroup/memory/a/memory.stat",
               "inactive_file 1\ntotal_inactive_file 20000\n");
  CHECK(system.memory() == 50000);
}

TEST_CASE("memory: there is some") {
  CHECK(available_memory().value_or(1) > 0);
}
