// What the program meets where it is started: other processes, limits, settings of OpenMP, closed
// streams, signals, processors.

#include <doctest/doctest.h>
#include <pty.h>
#include <sys/ioctl.h>
#include <sys/resource.h>

#include <cmath>
#include <cstdlib>
#include <map>
#include <set>

#include "base/usable_cores.h"
#include "program.h"
#include "temporary_folder.h"

using nlohmann::json;
using namespace easgd::testing;
namespace fs = std::filesystem;

namespace {

using Folder = TemporaryFolder;

/// A run of a second on one core, whose numbers are the same every time.
std::string one_worker(const std::string& out, int threads = 1) {
  return kTrain + "--set workers.devices=cpu --set workers.threads=" + std::to_string(threads) +
         " --set stop.epochs=2 --set evaluate.every.epochs=1 --out " + out;
}

json summary_of(const std::string& out) {
  return json::parse(bytes_of(out + "/summary.json"));
}

/// Test losses of a run, in order.
std::vector<double> losses_of(const std::string& out) {
  std::vector<double> losses;
  for (const json& event : lines_of(out + "/metrics.jsonl")) {
    if (event["event"] == "evaluation") losses.push_back(event["test_loss"]);
  }
  return losses;
}

bool is_there(const char* command) {
  return std::system((std::string("command -v ") + command + " >/dev/null").c_str()) == 0;
}

bool is_root() {
  return geteuid() == 0;
}

/// What `program` does as a user who may have so many processes and threads.
Answer with_processes(int limit, const std::string& arguments, const std::string& folder) {
  return program(arguments,
                 "cd " + folder +
                     "; exec setpriv --reuid=65534 --regid=65534 --clear-groups prlimit --nproc=" +
                     std::to_string(limit) + " ");
}

}  // namespace

TEST_CASE("settings of OpenMP do not change a run") {
  if (easgd::usable_cores() < 2) {
    MESSAGE("skipped: needs two cores");
    return;
  }
  const Folder folder;
  REQUIRE(program(one_worker(folder / "plain", 2)).code == 0);
  const auto plain = losses_of(folder / "plain");
  REQUIRE(plain.size() >= 2);
  int number = 0;
  for (const char* setting :
       {"OMP_DYNAMIC=true", "OMP_MAX_ACTIVE_LEVELS=0", "OMP_NUM_THREADS=1", "OMP_PROC_BIND=true",
        "OMP_PLACES=cores", "GOMP_CPU_AFFINITY=0", "OMP_STACKSIZE=1000000G", "OMP_THREAD_LIMIT=2",
        "OMP_NESTED=true", "OMP_WAIT_POLICY=passive"}) {
    CAPTURE(setting);
    const std::string out = folder / ("run" + std::to_string(number++));
    CHECK(program(one_worker(out, 2), std::string("export ") + setting + "; ").code == 0);
    CHECK(summary_of(out)["status"] == "done");
    CHECK(losses_of(out) == plain);  // to the last bit
  }
}

TEST_CASE("threads that OpenMP would not give are not counted on: used and told, or refused") {
  if (easgd::usable_cores() < 2) {
    MESSAGE("skipped: needs two cores");
    return;
  }
  const Folder folder;
  const std::string before = "export OMP_THREAD_LIMIT=1; ";
  check_one_line(
      program(one_worker(folder / "two", 2), before), 2,
      "--set workers.threads=2: workers.threads: 2 is more than OMP_THREAD_LIMIT allows: 1");
  const Answer chosen = program(one_worker(folder / "auto", 0), before);
  CHECK(chosen.code == 0);
  CHECK(chosen.text.find("OMP_THREAD_LIMIT gives each worker 1 of ") != std::string::npos);
  CHECK(bytes_of(folder / "auto/config.toml").find("\nthreads = 1\n") != std::string::npos);
  // The evaluator's threads are its own.
  const Answer tested =
      program(one_worker(folder / "evaluated") + " --set evaluate.threads=2", before);
  CHECK(tested.code == 0);
  CHECK(bytes_of(folder / "evaluated/config.toml").find("threads = 2") == std::string::npos);
}

TEST_CASE("a main thread that OpenMP would bind is no machine of one core") {
  const std::size_t cores = easgd::usable_cores();
  const std::string wanted = std::to_string(cores) + (cores == 1 ? " core" : " cores");
  for (const char* setting : {"OMP_PROC_BIND=true", "OMP_PLACES=cores", "OMP_PROC_BIND=close",
                              "GOMP_CPU_AFFINITY=0", "OMP_PLACES='{0}'"}) {
    CAPTURE(setting);
    const Answer answer = program("devices", std::string("export ") + setting + "; ");
    CHECK(answer.text.starts_with("cpu      " + wanted + "\n"));
  }
  const Answer bound = program("devices", "taskset -c 0 ");
  CHECK(bound.text.starts_with("cpu      1 core\n"));
}

TEST_CASE("too few threads are told before anything runs, and nothing is left behind") {
  if (kSanitized || !is_root() || !is_there("setpriv") || !is_there("prlimit")) {
    MESSAGE("skipped: needs root, setpriv and prlimit, and no sanitizer, which has a thread too");
    return;
  }
  const Folder folder;
  fs::permissions(folder.path(), fs::perms::all);
  const std::string source = fs::current_path().string();
  const std::string train =
      "train " + source +
      "/configs/synthetic_logistic.toml --set data.limit=300 --set data.test_limit=100 "
      "--set workers.batch=20 --set stop.epochs=1 --out ";
  int few = 0;
  while (true) {
    const std::string out = folder / ("run" + std::to_string(++few));
    const Answer answer = with_processes(few, train + out, folder.string());
    if (answer.code == 0) break;
    REQUIRE(few < 100);
    CAPTURE(few);
    check_one_line(answer, 4, "the system lets this process have");
    CHECK_FALSE(fs::exists(out));
  }
  CHECK(few > 4);
  // Other commands have fewer threads.
  for (const int limit : {1, 2}) {
    CAPTURE(limit);
    const Answer answer = with_processes(
        limit, "evaluate " + (folder / ("run" + std::to_string(few))), folder.string());
    if (answer.code != 0) check_one_line(answer, 4, "the system lets this process have");
    CHECK(
        with_processes(limit, "describe " + source + "/configs/cifar10_msgd.toml", folder.string())
            .code == 0);
  }
}

TEST_CASE("with a standard stream closed, what is printed lands in no file") {
  const Folder folder;
  int number = 0;
  for (const char* closed : {"2>&-", ">&-", ">&- 2>&-", "<&- >&- 2>&-", "<&-"}) {
    CAPTURE(closed);
    const std::string out = folder / ("run" + std::to_string(number++));
    const std::string command = std::string("exec ") + EASGD_PROGRAM + " " + kTrain + "--out " +
                                out + " >/dev/null 2>/dev/null " + closed;
    CHECK(std::system(command.c_str()) == 0);
    const std::vector<json> events =
        lines_of(out + "/metrics.jsonl");  // throws where a line is no JSON
    CHECK(!events.empty());
    CHECK(program("evaluate " + out).code == 0);
    CHECK(json::parse(bytes_of(out + "/summary.json"))["status"] == "done");
    CHECK(bytes_of(out + "/config.toml").starts_with("name = "));
  }
}

TEST_CASE("a result that nobody can read is told, but not of a run, which leaves files") {
  const Folder folder;
  REQUIRE(std::system((std::string(EASGD_PROGRAM) + " " + kTrain + "--out " + folder / "run" +
                       " >&- 2>/dev/null")
                          .c_str()) == 0);
  for (const std::string& arguments :
       std::vector<std::string>{"describe configs/cifar10_resnet20.toml", "--version", "devices",
                                "evaluate " + folder / "run"}) {
    CAPTURE(arguments);
    const int status = std::system(
        (std::string(EASGD_PROGRAM) + " " + arguments + " >&- 2>" + folder / "log").c_str());
    CHECK(WEXITSTATUS(status) == 3);
    CHECK(bytes_of(folder / "log") ==
          "easgd: standard output: cannot be written: Bad file descriptor\n");
  }
}

TEST_CASE("a processor that the program was not compiled for is told in one line") {
  if (kSanitized || !is_there("qemu-x86_64")) {
    MESSAGE("skipped: needs qemu-x86_64 (Debian's qemu-user), and no sanitizer's memory");
    return;
  }
  for (const auto& [processor, lacks] :
       std::map<std::string, std::string>{{"Nehalem", "avx"},
                                          {"Westmere", "avx"},
                                          {"SandyBridge", "avx2"},
                                          {"qemu64", "avx"},
                                          {"Opteron_G5", "avx2"}}) {
    CAPTURE(processor);
    const std::string command =
        "qemu-x86_64 -cpu " + processor + " " EASGD_PROGRAM " --version 2>&1";
    FILE* pipe = popen(command.c_str(), "r");
    std::array<char, 4096> text{};
    std::string answer;
    while (fgets(text.data(), text.size(), pipe)) {
      if (!std::string(text.data()).starts_with("qemu-x86_64: warning: TCG")) answer += text.data();
    }
    CHECK(WEXITSTATUS(pclose(pipe)) == 4);
    CHECK(answer.starts_with("easgd: cpu: this processor has no " + lacks + ";"));
    CHECK(std::ranges::count(answer, '\n') == 1);
  }
}

TEST_CASE("a kernel without a call that threads need is told in one line") {
  if (!is_there("strace")) {
    MESSAGE("skipped: needs strace");
    return;
  }
  const Folder folder;
  const std::string before =
      "exec strace -f -o /dev/null -e trace=futex -e inject=futex:error=ENOSYS ";
  const Answer traced = program("--version", "exec strace -o /dev/null ");
  if (traced.code != 0) {
    MESSAGE("skipped: strace may not trace here");
    return;
  }
  check_one_line(program(kTrain + "--out " + folder / "run", before), 4,
                 "the kernel has no call futex");
  CHECK_FALSE(fs::exists(folder / "run"));
}

TEST_CASE("a library that is missing or too old is told in one line") {
  const Folder folder;
  const fs::path built = fs::path(EASGD_PROGRAM).parent_path();
  fs::copy_file(built / "easgd", folder / "easgd");
  const auto complaint = [&] {
    const std::string command = folder / "easgd" + " train no.toml 2>&1";
    FILE* pipe = popen(command.c_str(), "r");
    std::array<char, 4096> text{};
    std::string answer;
    while (fgets(text.data(), text.size(), pipe)) answer += text.data();
    CHECK(WEXITSTATUS(pclose(pipe)) == 4);
    CHECK(std::ranges::count(answer, '\n') == 1);
    return answer;
  };
  CHECK(complaint().starts_with("easgd: libeasgd.so: cannot open shared object file"));
  fs::copy_file(built / "libeasgd.so", folder / "libeasgd.so");
  CHECK(std::system((folder / "easgd" + " --version >/dev/null").c_str()) == 0);
  fs::create_directories(folder / "lib");
  // Beside the program, where it is looked for first.
  std::ofstream(folder / "lib/libdnnl.so.2") << "no library";
  CHECK(complaint().find("lib/libdnnl.so.2: ") != std::string::npos);
  std::ofstream(folder / "libeasgd.so", std::ios::trunc) << "";
  CHECK(complaint().find("libeasgd.so: file too short") != std::string::npos);
}

TEST_CASE("time in which the process is stopped is no training time") {
  const Folder folder;
  const std::string out = folder / "run";
  const pid_t child = start_training(
      {"configs/synthetic_logistic.toml", "--out", out, "--set", "stop.epochs=", "--set",
       "stop.seconds=3", "--set", "evaluate.every.seconds=0.5"},
      "/dev/null");
  wait_for_file(out + "/center.safetensors");
  const auto start = std::chrono::steady_clock::now();
  for (int pause = 0; pause < 2; ++pause) {
    sleep_ms(800);
    kill(child, SIGSTOP);
    sleep_ms(2500);
    kill(child, SIGCONT);
  }
  CHECK(code_of(child) == 0);
  const std::chrono::duration<double> real = std::chrono::steady_clock::now() - start;
  CHECK(real.count() > 7);
  const json summary = summary_of(out);
  CHECK(summary["wall_seconds"].get<double>() >= 3);
  CHECK(summary["wall_seconds"].get<double>() < 4.5);
  double before = 0;
  for (const json& event : lines_of(out + "/metrics.jsonl")) {
    if (event["event"] != "evaluation") continue;
    CHECK(event["time"].get<double>() >= before);
    CHECK(event["time"].get<double>() - before < 2);  // a pause would be 2.5 longer
    before = event["time"];
  }
}

TEST_CASE("warnings of batch systems end a run like SIGTERM, with everything saved") {
  const Folder folder;
  for (const int number : {SIGUSR1, SIGUSR2, SIGXCPU}) {
    CAPTURE(number);
    const std::string out = folder / std::to_string(number);
    const pid_t child = start_training(endless(out), "/dev/null");
    wait_for_file(out + "/center.safetensors");
    kill(child, number);
    if (number == SIGXCPU) {  // the kernel says it again every second of processor time
      sleep_ms(1100);
      kill(child, number);
    }
    CHECK(code_of(child) == 130);
    CHECK(summary_of(out)["status"] == "interrupted");
    CHECK(program("evaluate " + out).code == 0);
  }
}

TEST_CASE("a limit on processor time ends a run with everything saved, whichever thread it meets") {
  if (kSanitized) {
    MESSAGE("skipped: a sanitized program needs that time to begin");
    return;
  }
  const Folder folder;
  for (int round = 0; round < 3; ++round) {
    const std::string out = folder / std::to_string(round);
    const std::string limit = "ulimit -S -t " + std::to_string(2 + round % 2) + "; ";
    const Answer answer = program(
        "train configs/synthetic_logistic.toml --set stop.epochs=100000 --out " + out, limit);
    CAPTURE(answer.text);
    CHECK(answer.code == 130);
    CHECK(summary_of(out)["status"] == "interrupted");
  }
}

TEST_CASE("signals reach no thread that computes") {
  const Folder folder;
  const std::string out = folder / "run";
  const pid_t child = start_training(endless(out), "/dev/null");
  wait_for_file(out + "/center.safetensors");
  std::size_t threads = 0;
  for (const auto& task : fs::directory_iterator("/proc/" + std::to_string(child) + "/task")) {
    // It waits for them, and the kernel says of one that waits that it blocks none.
    if (bytes_of(task.path() / "comm") == "signals\n") continue;
    std::istringstream status(bytes_of(task.path() / "status"));
    std::uint64_t blocked = 0;
    for (std::string key; status >> key;) {
      if (key == "SigBlk:") status >> std::hex >> blocked;
    }
    for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2, SIGXCPU}) {
      CHECK((blocked >> (number - 1) & 1) == 1);
    }
    ++threads;
  }
  CHECK(threads >= 5);
  kill(child, SIGINT);
  CHECK(code_of(child) == 130);
}

TEST_CASE("a center is there from the very start, and evaluates") {
  const Folder folder;
  const std::string out = folder / "run";
  std::vector<std::string> arguments = endless(out);
  for (const char* setting : {"evaluate.every.seconds=100000", "algorithm.tau=100000"}) {
    arguments.insert(arguments.end(), {"--set", setting});
  }
  const pid_t child = start_training(arguments, "/dev/null");
  wait_for_file(out + "/center.safetensors");
  kill(child, SIGKILL);
  CHECK(code_of(child) == 128 + SIGKILL);
  CHECK(bytes_of(out + "/center.safetensors").find(R"("easgd.version":"0")") != std::string::npos);
  CHECK(program("evaluate " + out).code == 0);
}

TEST_CASE("no run is bound to a core: the kernel moves it to where there is room") {
  const Folder folder;
  const std::string out = folder / "run";
  const pid_t child = start_training(endless(out), "/dev/null");
  wait_for_file(out + "/center.safetensors");
  cpu_set_t own;
  REQUIRE(sched_getaffinity(0, sizeof own, &own) == 0);
  for (const auto& task : fs::directory_iterator("/proc/" + std::to_string(child) + "/task")) {
    cpu_set_t set;
    if (sched_getaffinity(std::stoi(task.path().filename().string()), sizeof set, &set) != 0)
      continue;
    CHECK(CPU_EQUAL(&set, &own));
  }
  kill(child, SIGTERM);
  CHECK(code_of(child) == 130);
}

TEST_CASE("on a terminal no line of progress is wider than it") {
  const Folder folder;
  for (const auto& [columns, term] :
       {std::pair<int, std::string>{80, "xterm"}, {40, "xterm"}, {20, "xterm"}, {80, "dumb"}}) {
    CAPTURE(columns);
    CAPTURE(term);
    winsize size{24, static_cast<unsigned short>(columns), 0, 0};
    int terminal = -1;
    const pid_t child = forkpty(&terminal, nullptr, nullptr, &size);
    REQUIRE(child != -1);
    if (child == 0) {
      setenv("TERM", term.c_str(), 1);
      const std::string out = folder / (term + std::to_string(columns));
      // So long a run that more than an hour is left.
      execl(EASGD_PROGRAM, "easgd", "train", "configs/synthetic_logistic.toml", "--out",
            out.c_str(), "--set", "stop.epochs=100000", "--set", "stop.seconds=100000", "--set",
            "evaluate.every.seconds=1000", nullptr);
      _exit(99);
    }
    std::string text;
    std::array<char, 4096> part;
    const std::string no_wrap = "\033[?7l", wrap = "\033[?7h";
    const bool is_dumb = term == "dumb";
    // Until there have been some lines of progress, or, on a dumb terminal, of any kind.
    const auto has_shown_enough = [&] {
      std::size_t count = 0;
      const std::string mark = is_dumb ? "\n" : " % | ";
      for (std::size_t at = text.find(mark); at != text.npos; at = text.find(mark, at + 1)) ++count;
      return count >= 6;
    };
    for (bool is_stopped = false; true;) {
      const ssize_t count = read(terminal, part.data(), part.size());
      if (count <= 0) break;
      text.append(part.data(), std::size_t(count));
      if (!is_stopped && has_shown_enough()) is_stopped = kill(child, SIGTERM) == 0;
    }
    close(terminal);
    CHECK(code_of(child) == 130);
    CAPTURE(text);
    CHECK((text.find('\033') == std::string::npos) == is_dumb);
    if (is_dumb) continue;
    // What is written over has to fit; lines that stay may go on in the next.
    std::size_t shown = 0;
    for (std::size_t at = text.find(no_wrap); at != std::string::npos;
         at = text.find(no_wrap, at + 1)) {
      ++shown;
      const std::size_t begin = at + no_wrap.size(), end = text.find(wrap, begin);
      REQUIRE(end != std::string::npos);
      std::istringstream lines(text.substr(begin, end - begin));
      for (std::string line; std::getline(lines, line);) {
        CHECK(line.substr(0, line.find('\r')).size() < std::size_t(columns));
      }
    }
    // The last of it is erased.
    CHECK(text.rfind("\r \033[J\r") > text.rfind(wrap));
    CHECK(shown >= 3);
  }
}

TEST_CASE("a reader that has gone is no error of any command") {
  const Folder folder;
  REQUIRE(program(kTrain + "--out " + folder / "run").code == 0);
  for (const std::string& arguments :
       {std::string("describe configs/cifar10_resnet20.toml"), std::string("devices"),
        std::string("--version"), std::string("help config"), std::string("--help"),
        std::string("train --help"), std::string("locate synthetic"), "evaluate " + folder / "run",
        std::string("stability map --method admm --workers 8 --csv"),
        std::string(
            "stability point --method admm --workers 3 --learning-rate 0.001 --rho 2.5 --json"),
        kTrain + "--out " + folder / "again"}) {
    CAPTURE(arguments);
    // The reader is gone before the program begins.
    std::ofstream(folder / "script") << "trap '' PIPE\n{ sleep 0.3; " EASGD_PROGRAM " " << arguments
                                     << " 2>/dev/null; echo $? >" << folder / "code"
                                     << "; } | true\n";
    CHECK(std::system(("bash " + folder / "script").c_str()) == 0);
    CHECK(bytes_of(folder / "code") == "0\n");
  }
}
