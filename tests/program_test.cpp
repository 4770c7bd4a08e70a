// The program as a user meets it: runs, their folders, their mistakes and exit codes.

#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>

using nlohmann::json;
namespace fs = std::filesystem;

namespace {

struct Folder {
  Folder() : path(fs::temp_directory_path() / ("easgd_program_test_" + std::to_string(getpid()))) {
    fs::remove_all(path);
    fs::create_directories(path);
  }
  ~Folder() { fs::remove_all(path); }
  std::string operator/(const std::string& name) const { return (path / name).string(); }
  fs::path path;
};

struct Answer {
  int code;
  std::string text;  ///< standard output and error
  std::string last_line() const {
    const std::string trimmed = text.substr(0, text.find_last_not_of('\n') + 1);
    return trimmed.substr(trimmed.find_last_of('\n') + 1);
  }
};

Answer easgd(const std::string& arguments) {
  const std::string command = EASGD_PROGRAM " " + arguments + " 2>&1";
  FILE* pipe = popen(command.c_str(), "r");
  REQUIRE(pipe);
  std::string text;
  std::array<char, 4096> part;
  while (const std::size_t n = fread(part.data(), 1, part.size(), pipe))
    text.append(part.data(), n);
  const int status = pclose(pipe);
  return {WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), text};
}

std::string bytes_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::vector<json> lines_of(const std::string& path) {
  std::ifstream file(path);
  std::vector<json> result;
  for (std::string line; std::getline(file, line);) result.push_back(json::parse(line));
  return result;
}

/// A run of a second on the built-in data.
const std::string kTrain =
    "train configs/synthetic_logistic.toml --set data.limit=2000 --set data.test_limit=500 ";

void check_one_line(const Answer& answer, int code, const std::string& part) {
  CAPTURE(answer.text);
  CHECK(answer.code == code);
  CHECK(answer.text.find(part) != std::string::npos);
  CHECK(answer.text.starts_with("easgd: "));
  CHECK(std::ranges::count(answer.text, '\n') == 1);
}

}  // namespace

TEST_CASE("a run leaves the files of the contract, and repeats from its own config.toml") {
  const Folder folder;
  const Answer first = easgd(kTrain + "--set workers.devices=cpu --out " + folder / "a");
  CAPTURE(first.text);
  REQUIRE(first.code == 0);
  const json summary = json::parse(bytes_of(folder / "a/summary.json"));
  for (const char* key : {"algorithm",
                          "backend",
                          "devices",
                          "workers",
                          "tau",
                          "alpha",
                          "rho",
                          "beta",
                          "steps",
                          "epochs",
                          "wall_seconds",
                          "images_per_second",
                          "train_loss",
                          "test_loss",
                          "test_error",
                          "best_test_error",
                          "time_to_error",
                          "exchanges",
                          "exchange_wait_fraction",
                          "status"}) {
    CAPTURE(key);
    CHECK(summary.contains(key));
  }
  CHECK(summary["status"] == "done");
  const auto events = lines_of(folder / "a/metrics.jsonl");
  REQUIRE(!events.empty());
  CHECK(events.back()["event"] == "evaluation");
  CHECK(events.back()["test_error"] == summary["test_error"]);
  CHECK(summary["test_error"] < 0.89);  // it learns

  REQUIRE(easgd("train " + folder / "a/config.toml --out " + folder / "b").code == 0);
  CHECK(bytes_of(folder / "a/center.safetensors") == bytes_of(folder / "b/center.safetensors"));

  SUBCASE("evaluate gives the logged error exactly") {
    const Answer again = easgd("evaluate " + folder / "a");
    CAPTURE(again.text);
    CHECK(again.code == 0);
    std::ostringstream expected;
    expected.precision(4);
    expected << std::fixed << 100 * summary["test_error"].get<double>() << " %";
    CHECK(again.text.find("test error " + expected.str()) != std::string::npos);
  }
  SUBCASE("a run starts from another's center") {
    const Answer next = easgd(kTrain + "--set stop.steps=1 --set network.init=" +
                              folder / "a/center.safetensors --out " + folder / "c");
    CHECK(next.code == 0);
    const json later = json::parse(bytes_of(folder / "c/summary.json"));
    CHECK(later["test_error"] == summary["test_error"]);
  }
  SUBCASE("an earlier run is not overwritten") {
    check_one_line(easgd(kTrain + "--out " + folder / "a"), 2, "holds an earlier run");
  }
}

TEST_CASE("replay of a free-running run with 4 workers gives the same center, byte for byte") {
  const Folder folder;
  const std::string workers =
      "--set workers.devices=[\"\\\"cpu\\\",\\\"cpu\\\",\\\"cpu\\\",\\\"cpu\\\"\"] ";
  const std::string lenet =
      "train configs/synthetic_eamsgd.toml " + workers +
      "--set data.limit=3000 --set data.test_limit=200 --set algorithm.tau=2 --set stop.epochs=0.6 "
      "--set workers.batch=16 ";
  const Answer first = easgd(lenet + "--out " + folder / "free");
  CAPTURE(first.text);
  REQUIRE(first.code == 0);
  const Answer second = easgd(lenet + "--set center.order=replay --set center.replay=" +
                              folder / "free/order.bin --out " + folder / "replay");
  CAPTURE(second.text);
  REQUIRE(second.code == 0);
  CHECK(bytes_of(folder / "free/order.bin") == bytes_of(folder / "replay/order.bin"));
  CHECK(bytes_of(folder / "free/center.safetensors") ==
        bytes_of(folder / "replay/center.safetensors"));
  check_one_line(
      easgd(kTrain + "--set workers.devices=cpu --set center.order=replay --set center.replay=" +
            folder / "free/order.bin --out " + folder / "other"),
      3, "is of 4 workers");
  check_one_line(easgd(lenet + "--set seed=2 --set center.order=replay --set center.replay=" +
                       folder / "free/order.bin --out " + folder / "other"),
                 2, "the recorded run had \"seed = 1\", this one has \"seed = 2\"");
}

TEST_CASE("Ctrl-C ends a run with exit code 130 and keeps what was reached") {
  const Folder folder;
  const std::string out = folder / "run";
  std::fflush(nullptr);
  const pid_t child = fork();
  if (child == 0) {
    freopen("/dev/null", "w", stderr);
    freopen("/dev/null", "w", stdout);
    execl(EASGD_PROGRAM, "easgd", "train", "configs/synthetic_logistic.toml", "--out", out.c_str(),
          "--set", "stop.epochs=100000", static_cast<char*>(nullptr));
    _exit(99);
  }
  for (int i = 0; i < 600 && !fs::exists(out + "/center.safetensors"); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
  kill(child, SIGINT);
  int status = 0;
  waitpid(child, &status, 0);
  REQUIRE(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 130);
  CHECK(json::parse(bytes_of(out + "/summary.json"))["status"] == "interrupted");
  CHECK(easgd("evaluate " + out).code == 0);
  CHECK(fs::exists(out + "/order.bin"));
}

TEST_CASE("mistakes have one clear line and their exit code") {
  const Folder folder;
  const std::string out = " --out " + folder / "run";
  check_one_line(easgd("trian"), 2, "no such command: trian; did you mean \"train\"?");
  check_one_line(easgd("train"), 2, "config is required");
  check_one_line(easgd("train nowhere.toml"), 2, "nowhere.toml: cannot be opened");
  check_one_line(easgd("train configs"), 2, "configs: is a folder; expected a TOML file");
  check_one_line(easgd(kTrain + "--set algorithm.tua=3" + out), 2, "did you mean \"tau\"?");
  check_one_line(easgd(kTrain + "--set data.crop=40" + out), 2,
                 "data.crop: 40 is larger than the images (32x32)");
  check_one_line(easgd(kTrain + "--set workers.devices=gpu" + out), 2, "workers.devices");
  check_one_line(easgd(kTrain + "--set workers.devices=[0]" + out), 4, "no CUDA device");
  check_one_line(easgd(kTrain + "--set algorithm.beta=5" + out), 2, "moving rate");
  check_one_line(
      easgd("train configs/cifar10_eamsgd.toml --set data.dir=" + folder.path.string() + out), 3,
      "cifar10");
  check_one_line(
      easgd("train configs/mnist_lenet.toml --set data.set=synthetic --set data.crop=4" + out), 2,
      "a 5x5 kernel does not fit an input of 4x4");
  check_one_line(easgd("evaluate " + folder.path.string()), 3,
                 "center.safetensors: cannot be opened");
  check_one_line(easgd(kTrain + "--set name=a/b" + out), 2, "name: expected a word");
  check_one_line(easgd(kTrain + "--set algorithm.schedule.kind=steps" + out), 2,
                 "kind = \"steps\" and at = [...] go together");
  check_one_line(easgd(kTrain + "--set stop.steps=99999999999999999999" + out), 2,
                 "expected a TOML value; found 99999999999999999999");
  std::ofstream(folder / "layers.toml") << "[[layer]]\ntype = \"linear\"\noutputs = 7\n"
                                           "[[layer]]\ntype = \"softmax_cross_entropy\"\n";
  check_one_line(
      easgd(kTrain + "--set network.file=" + folder / "layers.toml" + out), 2,
      "layers.toml:4: layer 2 \"softmax_cross_entropy2\" (softmax_cross_entropy): it sees "
      "7x1x1 values, but the data set has 10 classes");
  std::ofstream(folder / "single.toml") << "[layer]\ntype = \"linear\"\n";
  check_one_line(easgd(kTrain + "--set network.file=" + folder / "single.toml" + out), 2,
                 "single.toml:1: layer: expected tables, each headed [[layer]]");
  check_one_line(easgd("help me"), 2, "no such topic");
  check_one_line(easgd("locate mnits"), 2, "did you mean \"mnist\"?");
  check_one_line(easgd("evaluate /dev/null"), 3, "/dev/null: ");
  check_one_line(easgd(kTrain + "--set \"a b=3\"" + out), 2, "--set a b=3: expected key=value");
  check_one_line(easgd(kTrain + "--set algorithm..tau=4" + out), 2, "expected key=value");
  CHECK(easgd("train " + std::string(5000, 'x')).code == 2);
  CHECK(easgd("evaluate " + std::string(5000, 'x')).code == 3);
  check_one_line(easgd(kTrain + "--out /dev/null/run"), 3, "cannot make the run folder");

  std::ofstream(folder / "bad.safetensors") << "not at all";
  check_one_line(easgd(kTrain + "--set network.init=" + folder / "bad.safetensors" + out), 3,
                 "safetensors");
}

TEST_CASE("damaged data end the program with exit code 3 and name the place") {
  const Folder folder;
  const std::string set = folder / "cifar-10-batches-bin";
  fs::create_directories(set);
  for (const std::string name : {"data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4",
                                 "data_batch_5", "test_batch"}) {
    std::ofstream(set + "/" + name + ".bin") << std::string(30730000, '\0');
  }
  const std::string train =
      "train configs/cifar10_msgd.toml --set data.dir=" + folder.path.string() + " --out " +
      folder / "run";
  std::fstream(set + "/data_batch_2.bin", std::ios::in | std::ios::out).seekp(3073 * 7).put('\x0b');
  check_one_line(easgd(train), 3, "data_batch_2.bin");
  fs::resize_file(set + "/data_batch_1.bin", 1024);
  check_one_line(easgd(train), 3, "data_batch_1.bin");
  CHECK_FALSE(fs::exists(folder / "run"));
}

TEST_CASE("a log that cannot be written costs the log, not the run") {
  const Folder folder;
  const int status = std::system(
      (EASGD_PROGRAM " " + kTrain + "--out " + folder / "run" + " >/dev/full 2>/dev/full").c_str());
  CHECK(WEXITSTATUS(status) == 0);
  CHECK(fs::exists(folder / "run/summary.json"));
}

TEST_CASE("a full disk loses nothing else: no empty file in the place of a result") {
  const Folder folder;
  // A folder in the place where summary.json is to appear stands for a disk that takes no more.
  fs::create_directories(folder / "run/summary.json/taken");
  const Answer run = easgd(kTrain + "--out " + folder / "run");
  CAPTURE(run.text);
  CHECK(run.code == 3);
  CHECK(run.text.find("summary.json: cannot be written") != std::string::npos);
  CHECK(fs::exists(folder / "run/center.safetensors"));
  CHECK(fs::exists(folder / "run/order.bin"));
  CHECK_FALSE(fs::exists(folder / "run/summary.json.new"));
}

TEST_CASE("a signal while a run is being set up ends it, and its folder can be used again") {
  const Folder folder;
  const std::string out = folder / "run";
  std::fflush(nullptr);
  const pid_t child = fork();
  if (child == 0) {
    freopen("/dev/null", "w", stderr);
    execl(EASGD_PROGRAM, "easgd", "train", "configs/synthetic_eamsgd.toml", "--out", out.c_str(),
          static_cast<char*>(nullptr));
    _exit(99);
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  kill(child, SIGTERM);
  int status = 0;
  waitpid(child, &status, 0);
  CHECK((WIFSIGNALED(status) || WEXITSTATUS(status) == 130));
  if (!fs::exists(out + "/center.safetensors")) CHECK(easgd(kTrain + "--out " + out).code == 0);
}

TEST_CASE("outside the stability region a run says so, with the numbers") {
  const Folder folder;
  const Answer run =
      easgd(kTrain +
            "--set algorithm.beta=3.9 --set workers.devices=[\"\\\"cpu\\\",\\\"cpu\\\"\"] --set "
            "stop.steps=2 --out " +
            folder / "run");
  CAPTURE(run.text);
  CHECK(run.code == 0);
  CHECK(run.text.find("outside the stability region") != std::string::npos);
  CHECK(run.text.find("alpha 1.95") != std::string::npos);
}

TEST_CASE("describe tells the paper's network") {
  const Answer answer = easgd("describe configs/cifar10_eamsgd.toml");
  CAPTURE(answer.text);
  CHECK(answer.code == 0);
  CHECK(answer.text.find("351946 parameters") != std::string::npos);
  CHECK(answer.text.find("conv2") != std::string::npos);
}

TEST_CASE("every shipped configuration is understood") {
  for (const auto& entry : fs::directory_iterator("configs")) {
    if (entry.path().extension() != ".toml") continue;
    const Answer answer = easgd("describe " + entry.path().string());
    CAPTURE(answer.text);
    CHECK(answer.code == 0);
  }
}
