// The program as a user meets it: runs, their folders, their mistakes and exit codes.

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <numeric>
#include <sstream>
#include <thread>

#include "algorithms/algorithm.h"
#include "base/registry.h"
#include "program.h"
#include "temporary_folder.h"

using nlohmann::json;
using namespace easgd::testing;
namespace fs = std::filesystem;

namespace {

using Folder = TemporaryFolder;

/// What follows the header of a safetensors file: tensors, without what the file carries besides.
std::string tensors_of(const std::string& path) {
  const std::string bytes = bytes_of(path);
  std::uint64_t length = 0;
  std::memcpy(&length, bytes.data(), sizeof length);
  return bytes.substr(sizeof length + length);
}

/// Leaves a safetensors file its tensors only, as other programs write it.
void strip_metadata(const std::string& path) {
  const std::string bytes = bytes_of(path);
  std::uint64_t length = 0;
  std::memcpy(&length, bytes.data(), sizeof length);
  json header = json::parse(bytes.substr(sizeof length, length));
  REQUIRE(header.erase("__metadata__") == 1);
  const std::string text = header.dump();
  const std::uint64_t shorter = text.size();
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file.write(reinterpret_cast<const char*>(&shorter), sizeof shorter);
  file << text << bytes.substr(sizeof length + length);
}

constexpr std::size_t kSmallSet = 500, kSmallTest = 100;

/// A set that takes no time to read and is easily learnt: 10 classes of 6x6 pixels, in the files of
/// MNIST.
void write_small_set(const std::string& folder) {
  fs::create_directories(folder);
  const auto big_endian = [](std::size_t n) {
    return std::string{char(n >> 24), char(n >> 16), char(n >> 8), char(n)};
  };
  for (const auto& [name, count] :
       {std::pair<std::string, std::size_t>{"train", kSmallSet}, {"t10k", kSmallTest}}) {
    std::string images = big_endian(0x803) + big_endian(count) + big_endian(6) + big_endian(6);
    std::string labels = big_endian(0x801) + big_endian(count);
    for (std::size_t n = 0; n < count; ++n) {
      labels += char(n * 7 % 10);
      for (std::size_t i = 0; i < 36; ++i) {
        images += char((i % 10 == n * 7 % 10 ? 150 : 0) + (n * 31 + i * i * 17) % 97);
      }
    }
    std::ofstream(folder + "/" + name + "-images-idx3-ubyte", std::ios::binary) << images;
    std::ofstream(folder + "/" + name + "-labels-idx1-ubyte", std::ios::binary) << labels;
  }
}

struct Run {
  std::string folder;
  json summary;
  std::vector<json> evaluations;
  std::string center;
  bool has_order;
};

/// `count` workers with a core's thread each train for 12 steps, or as `sets` say.
Run run_small(const Folder& folder, std::size_t count, const std::string& sets) {
  static int number = 0;
  const std::string out = folder / ("run" + std::to_string(number++));
  std::string devices;
  for (std::size_t i = 0; i < count; ++i) devices += i ? ",\"cpu\"" : "\"cpu\"";
  const Answer answer = program(
      "train configs/mnist_logistic.toml --set data.dir=" + folder.path().string() +
      " --set workers.batch=20 --set workers.threads=1 --set stop.epochs= --set stop.steps=12"
      " --set evaluate.every= --set evaluate.every.versions=2 --set algorithm.momentum=0.9"
      " --set algorithm.learning_rate=0.05 --set algorithm.beta= --set 'workers.devices=[" +
      devices + "]' " + sets + " --out " + out);
  CAPTURE(sets);
  CAPTURE(answer.text);
  REQUIRE(answer.code == 0);
  Run run{out,
          json::parse(bytes_of(out + "/summary.json")),
          {},
          bytes_of(out + "/center.safetensors"),
          fs::exists(out + "/order.bin")};
  for (const json& event : lines_of(out + "/metrics.jsonl")) {
    if (event["event"] == "evaluation") run.evaluations.push_back(event);
  }
  return run;
}

/// What holds for every run that has come to its end.
void check_summary(const Run& run, std::size_t workers) {
  const json& s = run.summary;
  CHECK(s["status"] == "done");
  CHECK(s["workers"] == workers);
  CHECK(s["devices"] == std::vector<std::string>(workers, "cpu"));
  CHECK(s["backend"] == "cpu");
  CHECK(s["failed_workers"] == 0);
  CHECK(s["refused_letters"] == 0);
  CHECK(s["exchange_wait_fraction"] > 0);
  CHECK(s["exchange_wait_fraction"].get<double>() + s["data_wait_fraction"].get<double>() < 1);
  CHECK(s["version"] == s["exchanges"]);
  const auto steps = s["steps"].get<std::vector<double>>();
  REQUIRE(steps.size() == workers);
  const double images = 20 * std::accumulate(steps.begin(), steps.end(), 0.0);
  CHECK(s["epochs"] == images / kSmallSet);
  CHECK(s["images_per_second"] == images / s["wall_seconds"].get<double>());

  REQUIRE(!run.evaluations.empty());
  const json& last = run.evaluations.back();
  for (const char* key : {"train_loss", "test_loss", "test_error", "version"}) {
    CAPTURE(key);
    CHECK(last[key] == s[key]);
  }
  double best = 1;
  json reached = json::object();
  for (const json& e : run.evaluations) {
    const double error = e["test_error"];
    best = std::min(best, error);
    for (int percent = 1; percent <= 90; ++percent) {
      if (percent > 10 && percent % 5 != 0) continue;
      std::ostringstream level;
      level << percent / 100.0;
      if (error <= percent / 100.0 && !reached.contains(level.str())) {
        reached[level.str()] = e["time"];
      }
    }
  }
  CHECK(s["best_test_error"] == best);
  CHECK(s["time_to_error"] == reached);
  for (std::size_t i = 1; i < run.evaluations.size(); ++i) {
    CHECK(run.evaluations[i]["version"] > run.evaluations[i - 1]["version"]);
    CHECK(run.evaluations[i]["time"] >= run.evaluations[i - 1]["time"]);
  }
}

}  // namespace

TEST_CASE("a run leaves the files of the contract, and repeats from its own config.toml") {
  const Folder folder;
  const Answer first = program(kTrain + "--set workers.devices=cpu --out " + folder / "a");
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
  std::map<std::string, json> last;  // event of each kind
  for (const json& event : lines_of(folder / "a/metrics.jsonl")) last[event["event"]] = event;
  CHECK(last["evaluation"]["test_error"] == summary["test_error"]);
  CHECK(last["progress"]["workers"][0]["steps"] == summary["steps"][0]);
  CHECK(summary["test_error"] < 0.89);  // it learns

  REQUIRE(program("train " + folder / "a/config.toml --out " + folder / "b").code == 0);
  CHECK(bytes_of(folder / "a/center.safetensors") == bytes_of(folder / "b/center.safetensors"));

  SUBCASE("evaluate gives the logged digits from folder, from file, and with a configuration") {
    fs::create_directories(folder / "elsewhere");
    const std::string file = folder / "elsewhere/center.safetensors";
    fs::copy_file(folder / "a/center.safetensors", file);
    char expected[100];
    std::snprintf(expected, sizeof expected,
                  ": 500 test images, test loss %.6f, test error %.4f %%\n",
                  summary["test_loss"].get<double>(), 100 * summary["test_error"].get<double>());
    const std::string config = " --config " + folder / "a/config.toml";
    CHECK(program("evaluate " + folder / "a").text == folder / "a/center.safetensors" + expected);
    check_one_line(program("evaluate " + folder / "a" + " --set workers.devices=[99]"), 4,
                   "cuda:99: no CUDA device");
    for (const std::string& arguments : {file, file + config}) {
      const Answer again = program("evaluate " + arguments);
      CHECK(again.code == 0);
      CHECK(again.text == file + expected);
    }

    strip_metadata(file);
    check_one_line(program("evaluate " + file), 2, file + ": carries no configuration");
    const Answer again = program("evaluate " + file + config);
    CHECK(again.code == 0);
    CHECK(again.text == file + expected);
  }
  SUBCASE("a run starts from another's center") {
    const Answer next = program(kTrain + "--set stop.steps=1 --set network.init=" +
                                folder / "a/center.safetensors --out " + folder / "c");
    CHECK(next.code == 0);
    const json later = json::parse(bytes_of(folder / "c/summary.json"));
    CHECK(later["test_error"] == summary["test_error"]);
  }
  SUBCASE("an earlier run is not overwritten") {
    check_one_line(program(kTrain + "--out " + folder / "a"), 2, "holds an earlier run");
  }
}

TEST_CASE("every combination of algorithm, exchange, order and partition keeps its accounts") {
  const Folder folder;
  write_small_set(folder / "mnist");
  struct Case {
    const char* algorithm;
    const char* exchange;
    const char* order;
    const char* partition;
    std::size_t workers;
    int tau;
    const char* rate;  // one of rho, alpha, beta, and its value
    double value;
  };
  const Case cases[] = {
      {"sgd", "asynchronous", "free", "whole", 1, 5, "", 0},
      {"sgd", "synchronous", "free", "shard", 1, 1, "", 0},
      {"msgd", "asynchronous", "round_robin", "chunks", 1, 4, "", 0},
      {"msgd", "synchronous", "free", "whole", 1, 100, "", 0},
      {"easgd", "asynchronous", "free", "whole", 3, 5, "beta", 0.9},
      {"easgd", "asynchronous", "round_robin", "shard", 2, 1, "rho", 4},
      {"easgd", "synchronous", "free", "chunks", 3, 4, "alpha", 0.25},
      {"eamsgd", "asynchronous", "free", "chunks", 2, 12, "alpha", 0.25},
      {"eamsgd", "asynchronous", "round_robin", "whole", 3, 7, "beta", 0.9},
      {"eamsgd", "synchronous", "free", "shard", 2, 1, "rho", 4},
  };
  for (const Case& c : cases) {
    std::string sets;
    const auto set = [&sets](const std::string& key, const std::string& value) {
      sets += " --set " + key + "=" + value;
    };
    set("algorithm.name", c.algorithm);
    set("algorithm.exchange", c.exchange);
    set("center.order", c.order);
    set("data.partition", c.partition);
    set("algorithm.tau", std::to_string(c.tau));
    const bool elastic = *c.rate;
    if (elastic) set(std::string("algorithm.") + c.rate, std::to_string(c.value));
    CAPTURE(sets);
    const Run run = run_small(folder, c.workers, sets);
    check_summary(run, c.workers);
    const json& s = run.summary;
    CHECK(s["algorithm"] == c.algorithm);
    CHECK(s["exchange"] == c.exchange);
    CHECK(s["tau"] == c.tau);
    CHECK(s["steps"] == std::vector<int>(c.workers, 12));
    // At every multiple of tau below 12; a single worker publishes its end as well.
    CHECK(s["exchanges"] == c.workers * std::size_t((12 + c.tau - 1) / c.tau) + !elastic);
    CHECK(run.has_order == (std::string(c.exchange) == "asynchronous"));
    if (elastic) {
      const auto same = [](double a, double b) { return std::abs(a - b) <= 1e-12 * std::abs(b); };
      const double rho = s["rho"], alpha = s["alpha"], beta = s["beta"];
      CHECK(same(s[c.rate], c.value));
      CHECK(same(alpha, 0.05 * rho));
      CHECK(same(beta, double(c.workers) * alpha));
    } else {
      for (const char* key : {"rho", "alpha", "beta"}) CHECK(s[key] == 0);
    }
    const bool repeats = c.workers == 1 || std::string(c.order) == "round_robin" ||
                         std::string(c.exchange) == "synchronous";
    if (repeats) CHECK(run_small(folder, c.workers, sets).center == run.center);
  }
}

TEST_CASE("every algorithm trains, and what is evaluated is what is saved") {
  const Folder folder;
  write_small_set(folder / "mnist");
  std::size_t count = 0;
  for (const std::string& name : easgd::Registry<easgd::Algorithm>::names()) {
    CAPTURE(name);
    const easgd::Algorithm& algorithm = easgd::Registry<easgd::Algorithm>::get(name);
    const std::size_t workers = algorithm.single ? 1 : 3;
    std::string sets = " --set algorithm.name=" + name;
    if (algorithm.exchange == easgd::Exchange::synchronous) {
      sets += " --set algorithm.exchange=synchronous";
    }
    sets += " --set algorithm.tau=" + std::string(algorithm.every_step ? "1" : "2");
    if (algorithm.coupling != easgd::Coupling::none) sets += " --set algorithm.alpha=0.3";
    const Run run = run_small(folder, workers, sets);
    check_summary(run, workers);
    const json first = run.evaluations.front();
    CHECK(run.summary["test_loss"] < first["test_loss"]);
    char expected[100];
    std::snprintf(expected, sizeof expected, "test loss %.6f, test error %.4f %%\n",
                  run.summary["test_loss"].get<double>(),
                  100 * run.summary["test_error"].get<double>());
    const Answer again = program("evaluate " + run.folder);
    CHECK(again.code == 0);
    CHECK(again.text.ends_with(expected));
    ++count;
  }
  CHECK(count >= 20);
}

TEST_CASE("each schedule changes a run, unless its numbers say that it changes nothing") {
  const Folder folder;
  write_small_set(folder / "mnist");
  const auto run = [&](const std::string& table, const std::string& schedule) {
    const Run result =
        run_small(folder, 1,
                  "--set algorithm.name=easgd --set algorithm.alpha=0.5 --set algorithm.tau=2" +
                      (table.empty() ? "" : " --set 'algorithm." + table + "={" + schedule + "}'"));
    check_summary(result, 1);
    return result;
  };
  const Run constant = run("", "");
  CHECK(constant.summary["exchanges"] == 6);
  std::vector<std::string> centers = {constant.center};
  for (const char* table : {"schedule", "rho_schedule"}) {
    CAPTURE(table);
    for (const char* neutral : {"kind=\"constant\"", "kind=\"steps\",at=[1]",
                                "kind=\"power\",gamma=0", "kind=\"cosine\",end=1"}) {
      CAPTURE(neutral);
      CHECK(run(table, neutral).center == constant.center);
    }
    for (const char* schedule :
         {"kind=\"steps\",at=[0.5]", "kind=\"power\",gamma=0.5", "kind=\"cosine\"", "warmup=0.5"}) {
      CAPTURE(schedule);
      const Run changed = run(table, schedule);
      CHECK(changed.summary["exchanges"] == 6);
      CHECK(changed.summary["alpha"] == 0.5);
      CHECK(std::ranges::count(centers, changed.center) == 0);
      centers.push_back(changed.center);
    }
  }
  // At steps 0, 2, 4, 6 and 10.
  CHECK(run("tau_schedule", "kind=\"steps\",at=[0.5],factor=2").summary["exchanges"] == 5);
}

TEST_CASE("a run ends after its epochs, its seconds, or with its test error") {
  const Folder folder;
  write_small_set(folder / "mnist");
  const std::string elastic = "--set algorithm.name=easgd --set algorithm.beta=0.9 ";
  const Run epochs = run_small(
      folder, 2, elastic + "--set algorithm.tau=3 --set stop.steps= --set stop.epochs=1.3");
  check_summary(epochs, 2);
  CHECK(epochs.summary["steps"] == std::vector<int>(2, 17));  // 650 samples, 20 a step, rounded up
  CHECK(epochs.summary["exchanges"] == 2 * 6);

  const Run seconds = run_small(folder, 2, elastic + "--set stop.steps= --set stop.seconds=0.1");
  check_summary(seconds, 2);
  CHECK(seconds.summary["wall_seconds"] >= 0.1);
  CHECK(seconds.summary["steps"][0] > 0);

  const Run error =
      run_small(folder, 2, elastic + "--set stop.steps=1000000000 --set stop.test_error=0.3");
  check_summary(error, 2);
  CHECK(error.summary["best_test_error"] <= 0.3);
  CHECK(error.summary["steps"][0] < 1000000000);
  const auto reached =
      std::ranges::find_if(error.evaluations, [](const json& e) { return e["test_error"] <= 0.3; });
  REQUIRE(reached != error.evaluations.end());
  CHECK(error.summary["time_to_error"]["0.3"] == (*reached)["time"]);
}

TEST_CASE("replay of a free-running run with 4 workers gives the same center, byte for byte") {
  const Folder folder;
  const std::string workers =
      "--set workers.devices=[\"\\\"cpu\\\",\\\"cpu\\\",\\\"cpu\\\",\\\"cpu\\\"\"] ";
  const std::string lenet =
      "train configs/synthetic_eamsgd.toml " + workers +
      "--set data.limit=3000 --set data.test_limit=200 --set algorithm.tau=2 --set stop.epochs=0.6 "
      "--set workers.batch=16 ";
  const Answer first = program(lenet + "--out " + folder / "free");
  CAPTURE(first.text);
  REQUIRE(first.code == 0);
  const Answer second = program(lenet + "--set center.order=replay --set center.replay=" +
                                folder / "free/order.bin --out " + folder / "replay");
  CAPTURE(second.text);
  REQUIRE(second.code == 0);
  CHECK(bytes_of(folder / "free/order.bin") == bytes_of(folder / "replay/order.bin"));
  CHECK(bytes_of(folder / "free/center.safetensors") ==
        bytes_of(folder / "replay/center.safetensors"));
  check_one_line(
      program(kTrain + "--set workers.devices=cpu --set center.order=replay --set center.replay=" +
              folder / "free/order.bin --out " + folder / "other"),
      3, "is of 4 workers");
  const Answer otherwise_evaluated =
      program(lenet + "--set evaluate.batch=7 --set center.order=replay --set center.replay=" +
              folder / "free/order.bin --out " + folder / "evaluated");
  CAPTURE(otherwise_evaluated.text);
  REQUIRE(otherwise_evaluated.code == 0);  // there are no statistics that evaluation recomputes
  CHECK(tensors_of(folder / "evaluated/center.safetensors") ==
        tensors_of(folder / "free/center.safetensors"));
  check_one_line(program(lenet + "--set seed=2 --set center.order=replay --set center.replay=" +
                         folder / "free/order.bin --out " + folder / "other"),
                 2, "the recorded run had \"seed = 1\", this one has \"seed = 2\"");
}

TEST_CASE("Ctrl-C ends a run with exit code 130 and keeps what was reached") {
  const Folder folder;
  const std::string out = folder / "run";
  const pid_t child = start_training(endless(out), "/dev/null");
  wait_for_file(out + "/center.safetensors");
  SUBCASE("once") {
    kill(child, SIGINT);
  }
  SUBCASE("twice at once, as timeout does") {
    kill(child, SIGINT);
    kill(child, SIGTERM);
  }
  CHECK(code_of(child) == 130);
  CHECK(json::parse(bytes_of(out + "/summary.json"))["status"] == "interrupted");
  CHECK(program("evaluate " + out).code == 0);
  CHECK(fs::exists(out + "/order.bin"));
}

TEST_CASE("a second Ctrl-C, a second later, ends a run at once with an exit code of its own") {
  const Folder folder;
  const std::string out = folder / "run";
  // A network whose evaluation takes minutes.
  const pid_t child = start_training(
      {"configs/cifar10_resnet18.toml", "--out", out, "--set", "data.set=synthetic", "--set",
       "data.limit=64", "--set", "workers.devices=cpu", "--set", "workers.batch=2"},
      "/dev/null");
  wait_for_file(out + "/config.toml");
  kill(child, SIGINT);
  sleep_ms(1500);
  CHECK(waitpid(child, nullptr, WNOHANG) == 0);
  kill(child, SIGINT);
  CHECK(code_of(child) == 131);
}

TEST_CASE("a signal that nohup has had ignored stays ignored") {
  const Folder folder;
  const std::string out = folder / "run";
  const pid_t child = start_training(endless(out), "/dev/null", true);
  wait_for_file(out + "/center.safetensors");
  kill(child, SIGHUP);
  sleep_ms(1000);
  CHECK(waitpid(child, nullptr, WNOHANG) == 0);
  kill(child, SIGTERM);
  CHECK(code_of(child) == 130);
}

TEST_CASE("where the last center cannot be saved, it is said which one is") {
  const Folder folder;
  const std::string out = folder / "run";
  const pid_t child = start_training(endless(out), folder / "log");
  wait_for_file(out + "/center.safetensors");
  // A folder in its place stands for a disk that takes no more.
  fs::create_directories(folder / "taken/by");
  REQUIRE(renameat2(AT_FDCWD, (folder / "taken").c_str(), AT_FDCWD,
                    (out + "/center.safetensors").c_str(), RENAME_EXCHANGE) == 0);
  sleep_ms(200);
  kill(child, SIGTERM);
  CHECK(code_of(child) == 3);
  const std::string log = bytes_of(folder / "log");
  CAPTURE(log);
  CHECK(log.find("center.safetensors is of version ") != std::string::npos);
  CHECK(json::parse(bytes_of(out + "/summary.json"))["status"] == "failed");
}

TEST_CASE("what fails in a folder whose name is no UTF-8 is told like the rest") {
  const Folder folder;
  const std::string out =
      folder_with_room(folder / "caf\xe9", std::strlen("summary.json.new"));  // not for the center
  const Answer answer = program(kTrain + "--out '" + out + "'");
  CAPTURE(answer.text);
  CHECK(answer.code == 3);
  CHECK(json::parse(bytes_of(out + "/summary.json"))["status"] == "failed");
  CHECK(bytes_of(out + "/metrics.jsonl").find("caf\xef\xbf\xbd") != std::string::npos);
}

TEST_CASE("a folder keeps what is not of this run") {
  const Folder folder;
  const std::string out = folder / "run";
  for (const char* name :
       {"metrics.jsonl", "summary.json", "center.safetensors", "order.bin", "config.toml"}) {
    fs::create_directories(out);
    std::ofstream(out + "/" + name) << "mine";
    check_one_line(program(kTrain + "--out " + out), 2, std::string("or another's ") + name);
    CHECK(bytes_of(out + "/" + name) == "mine");
    fs::remove_all(out);
  }
  // A run that cannot begin takes back what it has made.
  const std::string deep = folder_with_room(out, std::strlen("metrics.jsonl"));
  std::ofstream(deep + "/notes.txt") << "mine";
  const Answer answer = program(kTrain + "--out " + deep);
  CHECK(answer.code == 3);
  CHECK(answer.last_line().ends_with("/config.toml: cannot be written: File name too long"));
  CHECK(fs::exists(deep + "/notes.txt"));
  CHECK_FALSE(fs::exists(deep + "/metrics.jsonl"));

  const std::string config = fs::absolute("configs/synthetic_logistic.toml").string();
  std::ofstream(folder / "runs") << "a file";
  check_one_line(program("train " + config, "cd " + folder.path().string() + "; "), 3,
                 "runs: cannot make the run folder: Not a directory; give another with --out");
  CHECK(bytes_of(folder / "runs") == "a file");
  fs::remove(folder / "runs");
  fs::create_symlink("/not/mounted", folder / "runs");
  check_one_line(program("train " + config, "cd " + folder.path().string() + "; "), 3,
                 "runs: cannot make the run folder: No such file or directory");
  CHECK(fs::read_symlink(folder / "runs") == "/not/mounted");
}

TEST_CASE("a run passes over names that are taken, and over a user's files") {
  const Folder folder;
  const std::string source = fs::current_path().string(),
                    in_folder = "cd " + folder.string() + "; ";
  const std::string train = "train " + source +
                            "/configs/synthetic_logistic.toml --set data.limit=300 "
                            "--set data.test_limit=100 --set name=mine";
  fs::create_directories(folder / "runs");
  std::ofstream(folder / "runs/mine-1") << "a file";
  fs::create_symlink("/not/mounted", folder / "runs/mine-2");
  CHECK(program(train, in_folder).last_line().ends_with(", runs/mine-3"));
  CHECK(bytes_of(folder / "runs/mine-1") == "a file");
  CHECK(fs::read_symlink(folder / "runs/mine-2") == "/not/mounted");

  const std::vector<std::string> names = {"config.toml.new",   "center.safetensors.new",
                                          "order.bin.new",     "summary.json.new",
                                          "summary.json.new2", "metrics.jsonl.new"};
  fs::create_directories(folder / "u");
  for (const std::string& name : names) std::ofstream(folder / "u/" + name) << "my " + name;
  CHECK(program(train + " --out u", in_folder).code == 0);
  for (const std::string& name : names) CHECK(bytes_of(folder / "u/" + name) == "my " + name);
  std::size_t files = 0;
  for ([[maybe_unused]] const auto& entry : fs::directory_iterator(folder / "u")) ++files;
  CHECK(files == names.size() + 7);
}

TEST_CASE("a file that somebody puts into the folder of a run that goes on is not written over") {
  const Folder folder;
  const std::string out = folder / "run";
  const pid_t child = start_training(endless(out), folder / "log");
  wait_for_file(out + "/center.safetensors");
  std::ofstream(out + "/summary.json") << "mine";
  std::ofstream(out + "/order.bin") << "mine";
  kill(child, SIGTERM);
  CHECK(code_of(child) == 3);
  CHECK(bytes_of(out + "/summary.json") == "mine");
  CHECK(bytes_of(out + "/order.bin") == "mine");
  const std::string log = bytes_of(folder / "log");
  CAPTURE(log);
  CHECK(log.find("order.bin: cannot be written: another's file of that name has come there") !=
        std::string::npos);
  CHECK(program("evaluate " + out).code == 0);
}

TEST_CASE("a complaint is one line, whatever a path holds") {
  const Folder folder;
  const std::string odd = folder / "new\nline\x1b[31m";
  for (const std::string& command : std::vector<std::string>{
           "evaluate '" + odd + "'", "train '" + odd + "'",
           kTrain + "--set 'network.init=" + odd + "'", "evaluate x --config '" + odd + "'",
           std::string("'new\nline'"), "locate 'new\nline'", "help config 'new\nline'",
           "train configs/mnist_lenet.toml --set 'data.dir=" + odd + "'"}) {
    CAPTURE(command);
    const Answer answer = program(command);
    CAPTURE(answer.text);
    CHECK((answer.code == 2 || answer.code == 3));
    CHECK(std::ranges::count(answer.text, '\n') == 1);
    CHECK(answer.text.find('\x1b') == std::string::npos);
  }
}

TEST_CASE("where the center never moves it is said, before and after") {
  const Folder folder;
  // Of each worker one letter, from before its first step.
  const std::string small =
      "train configs/synthetic_logistic.toml --set data.limit=100 --set data.test_limit=100 "
      "--set workers.devices='[\"cpu\",\"cpu\"]' --set stop.epochs=1 ";
  const Answer still = program(small + "--set algorithm.tau=1 --out " + folder / "still");
  CHECK(still.code == 0);
  CHECK(still.text.find(
            "warning: tau 1 leaves the center one letter of each worker, which takes 1 step, sent "
            "before the first: the center will not move") != std::string::npos);
  CHECK(still.text.find("warning: no letter has moved the center") != std::string::npos);
  for (const char* moving :
       {"--set algorithm.tau=1 --set stop.epochs=10 ",
        "--set algorithm.name=easgd_gauss_seidel --set algorithm.tau=1 ",
        "--set algorithm.name=downpour --set algorithm.beta= --set algorithm.tau=1 "}) {
    CAPTURE(moving);
    const Answer answer =
        program(small + moving + "--out " + folder / std::to_string(std::strlen(moving)));
    CAPTURE(answer.text);
    CHECK(answer.code == 0);
    CHECK(answer.text.find("move") == std::string::npos);
  }
}

TEST_CASE("a run that is refused letter upon letter has diverged, though its center is finite") {
  const Folder folder;
  // The center hardly follows its worker, which explodes, starts again from it, and explodes again.
  const std::string train =
      "train configs/synthetic_logistic.toml --set data.limit=2000 --set data.test_limit=100 "
      "--set workers.devices=cpu --set algorithm.beta= --set algorithm.alpha=1e-36 --set "
      "algorithm.tau=1 "
      "--set stop.epochs=20 ";
  const Answer wild =
      program(train + "--set algorithm.learning_rate=1000 --set algorithm.weight_decay=10 --out " +
              folder / "wild");
  CAPTURE(wild.text);
  CHECK(wild.code == 0);
  const json summary = json::parse(bytes_of(folder / "wild/summary.json"));
  CHECK(summary["refused_letters"].get<int>() >= 5);
  CHECK(summary["test_loss"].is_number());
  CHECK(summary["status"] == "diverged");
  std::istringstream lines(wild.text);
  for (std::string line; std::getline(lines, line);) {  // though losses are huge
    if (line.find(" | error ") != std::string::npos) CHECK(line.size() < 80);
  }
  CHECK(program(train + "--out " + folder / "calm").code == 0);
  CHECK(json::parse(bytes_of(folder / "calm/summary.json"))["status"] == "done");
}

TEST_CASE("a run tells where its data were, so that it repeats from any folder") {
  const Folder folder;
  write_small_set(folder / "data/mnist");
  const std::string config = fs::absolute("configs/mnist_logistic.toml").string();
  const Answer run =
      program("train " + config + " --set stop.epochs=1 --set workers.batch=20 --out run",
              "unset EASGD_DATA; cd " + folder.path().string() + "; ");
  CAPTURE(run.text);
  REQUIRE(run.code == 0);
  const std::string elsewhere = "unset EASGD_DATA; cd /; ";
  CHECK(program("evaluate " + folder / "run", elsewhere).code == 0);
  CHECK(program("train " + folder / "run/config.toml --out " + folder / "again", elsewhere).code ==
        0);
}

TEST_CASE("a run whose center never moved has diverged, and one that cannot is warned of") {
  const Folder folder;
  const std::string steps = kTrain + "--set stop.epochs= --set algorithm.tau=20 ";
  const Answer run = program(steps +
                             "--set algorithm.weight_decay=10 --set algorithm.learning_rate=1000 "
                             "--set stop.steps=100 --out " +
                             folder / "run");
  CAPTURE(run.text);
  CHECK(run.code == 0);
  const json summary = json::parse(bytes_of(folder / "run/summary.json"));
  CHECK(summary["refused_letters"] > 0);
  CHECK(summary["status"] == "diverged");
  CHECK(run.text.find("leaves the center one letter") == std::string::npos);
  const Answer brief = program(steps + "--set stop.steps=10 --out " + folder / "brief");
  CHECK(
      brief.text.find("warning: tau 20 leaves the center one letter of each worker, which takes 10 "
                      "steps") != std::string::npos);
}

TEST_CASE("help of both kinds is the same, and tells the exit codes") {
  const Answer help = program("help");
  CHECK(help.code == 0);
  CHECK(help.text == program("--help").text);
  CHECK(help.text.find("131 interrupted once more") != std::string::npos);
  const Answer part = program("help config center.");
  CHECK(part.text.starts_with("  center."));
  CHECK(part.text.find("  center.replay ") != std::string::npos);
  CHECK(part.text.find("\n  data.") == std::string::npos);
  CHECK(program("help config kernel").text.find("  type = \"conv\"\n  kernel ") !=
        std::string::npos);
}

TEST_CASE("mistakes have one clear line and their exit code") {
  const Folder folder;
  const std::string out = " --out " + folder / "deep/run";
  check_one_line(program("trian"), 2, "no such command: trian; did you mean \"train\"?");
  check_one_line(program("train"), 2, "config is required");
  check_one_line(program("sweep"), 2, "sweep: expected file (TOML file, see `easgd help sweep`); ");
  check_one_line(program("train a.toml --out"), 2, "train: expected a value behind --out (");
  check_one_line(program("train a.toml --resume b"), 2,
                 "train: config and --resume do not go together");
  check_one_line(program("train a.toml --from-center"), 2,
                 "train: --from-center goes with --resume only");
  check_one_line(program("train ''"), 2, "expected a configuration file");
  check_one_line(program("-x"), 2,
                 "no such option: -x; expected one of train, sweep, evaluate, predict, report");
  check_one_line(program("train a.toml --sett algorithm.tau=4 --foo"), 2,
                 "train: not expected: --sett algorithm.tau=4 --foo; did you mean \"--set\"?");
  check_one_line(program("train nowhere.toml"), 2, "nowhere.toml: cannot be opened");
  check_one_line(program("evaluate nowhere"), 3, "nowhere: not found; expected a run folder");
  check_one_line(program("train configs"), 2, "configs: is a folder; expected a TOML file");
  std::filesystem::create_directory(folder / "run");
  std::ofstream(folder / "run/config.toml") << "name = \"run\"\n";
  check_one_line(program("train " + folder / "run"), 2, "as the config.toml in it");
  check_one_line(program(kTrain + "--set algorithm.tua=3" + out), 2, "did you mean \"tau\"?");
  check_one_line(program(kTrain + "--set data.crop=40" + out), 2,
                 "--set data.crop=40: data.crop: 40 is larger than the images (32x32)");
  check_one_line(program(kTrain + "--set workers.devices=gpu" + out), 2, "workers.devices");
  check_one_line(program(kTrain + "--set workers.devices=[99]" + out), 4,
                 "cuda:99: no CUDA device");
  check_one_line(program(kTrain + "--set algorithm.beta=5" + out), 2, "moving rate");
  check_one_line(
      program("train configs/cifar10_eamsgd.toml --set data.dir=" + folder.path().string() + out),
      3, "cifar10");
  check_one_line(
      program("train configs/mnist_lenet.toml --set data.set=synthetic --set data.crop=4" + out), 2,
      "a 5x5 kernel does not fit an input of 4x4");
  check_one_line(program("evaluate " + folder.path().string()), 3,
                 "center.safetensors: cannot be opened");
  check_one_line(program(kTrain + "--set name=a/b" + out), 2, "name: expected a word");
  check_one_line(program(kTrain + "--set algorithm.schedule.kind=steps" + out), 2,
                 "kind = \"steps\" and at = [...] go together");
  check_one_line(program(kTrain + "--set stop.steps=99999999999999999999" + out), 2,
                 "stop.steps: expected an integer in 1..");
  std::ofstream(folder / "layers.toml") << "[[layer]]\ntype = \"linear\"\noutputs = 7\n"
                                           "[[layer]]\ntype = \"softmax_cross_entropy\"\n";
  check_one_line(
      program(kTrain + "--set network.file=" + folder / "layers.toml" + out), 2,
      "layers.toml:4: layer 2 \"softmax_cross_entropy2\" (softmax_cross_entropy): it sees "
      "7x1x1 values, but the data set has 10 classes");
  std::ofstream(folder / "single.toml") << "[layer]\ntype = \"linear\"\n";
  check_one_line(program(kTrain + "--set network.file=" + folder / "single.toml" + out), 2,
                 "single.toml:1: layer: expected tables, each headed [[layer]]");
  check_one_line(program("help me"), 2, "there are \"config\" and \"sweep\"");
  check_one_line(program("help config algorithm.roh"), 2, "did you mean \"algorithm.rho\"?");
  check_one_line(program("locate mnits"), 2, "did you mean \"mnist\"?");
  check_one_line(program("evaluate /dev/null"), 3, "/dev/null: ");
  check_one_line(program(kTrain + "--set \"a b=3\"" + out), 2, "--set a b=3: expected key=value");
  check_one_line(program(kTrain + "--set algorithm..tau=4" + out), 2, "expected key=value");
  CHECK(program("train " + std::string(5000, 'x')).code == 2);
  CHECK(program("evaluate " + std::string(5000, 'x')).code == 3);
  check_one_line(program(kTrain + "--out /dev/null/run"), 3, "cannot make the run folder");

  std::ofstream(folder / "bad.safetensors") << "not at all";
  check_one_line(program(kTrain + "--set network.init=" + folder / "bad.safetensors" + out), 3,
                 "safetensors");
  CHECK_FALSE(fs::exists(folder / "deep"));
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
      "train configs/cifar10_msgd.toml --set data.dir=" + folder.path().string() + " --out " +
      folder / "run";
  std::fstream(set + "/data_batch_2.bin", std::ios::in | std::ios::out).seekp(3073 * 7).put('\x0b');
  check_one_line(program(train), 3, "data_batch_2.bin");
  fs::resize_file(set + "/data_batch_1.bin", 1024);
  check_one_line(program(train), 3, "data_batch_1.bin");
  CHECK_FALSE(fs::exists(folder / "run"));
}

TEST_CASE("a quiet run says its result, and what goes wrong") {
  const Folder folder;
  const Answer quiet = program(kTrain + "--quiet --out " + folder / "quiet");
  CHECK(quiet.code == 0);
  CHECK(quiet.text.starts_with("synthetic-logistic: done in "));
  CHECK(std::ranges::count(quiet.text, '\n') == 1);
  const Answer warned =
      program(kTrain + "--quiet --set algorithm.tau=100000 --out " + folder / "warned");
  CHECK(warned.text.starts_with("warning: tau 100000 leaves the center one letter"));
  CHECK(std::ranges::count(warned.text, '\n') >= 2);
  check_one_line(program("train no.toml --quiet"), 2, "no.toml");
}

TEST_CASE("a log that cannot be written costs the log, not the run") {
  const Folder folder;
  const int status = std::system(
      (EASGD_PROGRAM " " + kTrain + "--out " + folder / "run" + " >/dev/null 2>/dev/full").c_str());
  CHECK(WEXITSTATUS(status) == 0);
  CHECK(fs::exists(folder / "run/summary.json"));
}

TEST_CASE("an answer that cannot be written is a failure") {
  const Folder folder;
  const auto into_full = [](const std::string& arguments) {
    return program(arguments + " 2>&1 >/dev/full )", "( ");
  };
  const std::string line = "standard output: cannot be written: No space left on device";
  for (const char* arguments :
       {"help", "--help", "help config", "describe configs/synthetic_logistic.toml",
        "locate synthetic", "stability point", "stability map --csv"}) {
    CAPTURE(arguments);
    check_one_line(into_full(arguments), 3, line);
  }
  const Answer run = into_full(kTrain + "--out " + folder / "run");
  CHECK(run.code == 3);
  CHECK(run.last_line() == "easgd: " + line);
  CHECK(fs::exists(folder / "run/summary.json"));
  CHECK(into_full("evaluate " + folder / "run").code == 3);
}

namespace {

/// What a run says that is ended once folders have taken the place of `files`, as if the disk took
/// no more.
std::string log_of_full_disk(const Folder& folder, const std::vector<std::string>& files) {
  const std::string out = folder / "run";
  const pid_t child = start_training(endless(out), folder / "log");
  wait_for_file(out + "/center.safetensors");
  for (const std::string& file : files) {
    fs::remove(out + file);
    fs::create_directories(out + file + "/taken");
  }
  kill(child, SIGTERM);
  CHECK(code_of(child) == 3);
  return bytes_of(folder / "log");
}

}  // namespace

TEST_CASE("a full disk loses nothing else: no empty file in the place of a result") {
  const Folder folder;
  const std::string out = folder / "run", log = log_of_full_disk(folder, {"/summary.json"});
  CHECK(log.find("summary.json: cannot be written") != std::string::npos);
  CHECK(program("evaluate " + out).code == 0);
  CHECK(fs::exists(out + "/order.bin"));
  CHECK(fs::is_empty(out + "/summary.json/taken"));
  for (const auto& entry : fs::directory_iterator(out)) {
    CHECK(entry.path().extension() != ".new");
  }
}

TEST_CASE("a full disk: whatever fails first, it is said which center is saved") {
  const Folder folder;
  const std::string log = log_of_full_disk(folder, {"/center.safetensors", "/order.bin"});
  CAPTURE(log);
  CHECK(log.find("order.bin: cannot be written") != std::string::npos);
  const std::size_t center = log.find("center.safetensors: cannot be written");
  REQUIRE(center != std::string::npos);
  CHECK(log.find("center.safetensors is of version ", center) != std::string::npos);
}

TEST_CASE("a limit on the size of files is told like a full disk") {
  const Folder folder;
  const Answer run = program(kTrain + "--out " + folder / "run", "ulimit -f 32; ");
  CAPTURE(run.text);
  CHECK(run.code == 3);
  CHECK(
      run.text.find("center.safetensors: cannot be written: File too large; no center is saved") !=
      std::string::npos);
}

TEST_CASE("a signal while a run is being set up ends it, and its folder can be used again") {
  const Folder folder;
  for (const bool folder_made : {false, true}) {
    CAPTURE(folder_made);
    const std::string out = folder / (folder_made ? "late" : "early");
    const pid_t child =
        start_training({"configs/synthetic_eamsgd.toml", "--out", out}, "/dev/null");
    // The folder is made once data and network are there; what follows is the workers.
    for (int i = 0; folder_made && i < 60000 && !fs::exists(out + "/metrics.jsonl"); ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    if (!folder_made) std::this_thread::sleep_for(std::chrono::milliseconds(20));
    kill(child, SIGTERM);
    const int code = code_of(child);
    const bool killed = code == 128 + SIGTERM, saved = code == 130;
    CHECK((killed || saved));
    const bool has_center = fs::exists(out + "/center.safetensors");
    if (saved) CHECK(has_center);
    if (killed) CHECK_FALSE(fs::exists(out));
    if (has_center) {
      check_one_line(program(kTrain + "--out " + out), 2, "holds an earlier run");
    } else {
      CHECK(program(kTrain + "--out " + out).code == 0);
    }
  }
}

TEST_CASE("outside the stability region a run says so, with the numbers") {
  const Folder folder;
  const Answer run =
      program(kTrain +
              "--set algorithm.beta=3.9 --set workers.devices=[\"\\\"cpu\\\",\\\"cpu\\\"\"] --set "
              "stop.steps=2 --out " +
              folder / "run");
  CAPTURE(run.text);
  CHECK(run.code == 0);
  CHECK(run.text.find("outside the stability region") != std::string::npos);
  CHECK(run.text.find("alpha 1.95") != std::string::npos);
}

TEST_CASE("describe tells of devices that are not here all but what they would have to be asked") {
  const Answer answer =
      program("describe configs/synthetic_eamsgd.toml --set workers.devices=[97,98]");
  CAPTURE(answer.text);
  CHECK(answer.code == 0);
  CHECK(answer.text.find("\n351946 parameters") != std::string::npos);
  CHECK(answer.text.find("not known here: activations on cuda:97: no CUDA device") !=
        std::string::npos);
  CHECK(answer.text.find("\n2 worker(s): cuda:97 cuda:98; algorithm eamsgd") != std::string::npos);
}

TEST_CASE("describe tells the networks of the papers") {
  const std::pair<const char*, const char*> known[] = {{"cifar10_eamsgd", "351946"},
                                                       {"cifar10_resnet20", "272474"},
                                                       {"cifar10_vgg", "5555082"},
                                                       {"cifar10_resnet18", "11173962"}};
  for (const auto& [config, parameters] : known) {
    const Answer answer = program("describe configs/" + std::string(config) + ".toml");
    CAPTURE(answer.text);
    CHECK(answer.code == 0);
    CHECK(answer.text.find(parameters + std::string(" parameters")) != std::string::npos);
    CHECK(answer.text.find("softmax_cross_entropy") != std::string::npos);
  }
}

TEST_CASE("describe tells networks for images that are not there") {
  struct Known {
    const char *network, *image, *classes, *parameters;
  };
  const Known known[] = {{"imagenet11", "3x221x221", "1000", "61128808"},
                         {"imagenet_resnet18", "3x224x224", "1000", "11689512"},
                         {"imagenet_resnet50", "3x224x224", "1000", "25557032"},
                         {"imagenet_resnet50", "3x64x96", "1000", "25557032"},
                         {"photos11", "3x64x64", "10", "511498"},
                         {"photos_resnet18", "3x64x64", "10", "11181642"}};
  for (const Known& k : known) {
    const Answer answer = program(fmt::format(
        "describe configs/synthetic_eamsgd.toml --set network.file=networks/{}.toml --set "
        "data.crop=0 --set workers.batch=1 --set evaluate.batch=1 --image {} --classes {}",
        k.network, k.image, k.classes));
    CAPTURE(answer.text);
    CHECK(answer.code == 0);
    CHECK(answer.text.find(fmt::format("\n{} parameters", k.parameters)) != std::string::npos);
    CHECK(answer.text.find("\nmemory of the host: ") != std::string::npos);
  }
  const Answer wrong = program("describe configs/synthetic_eamsgd.toml --image 3x224");
  CHECK(wrong.code == 2);
  CHECK(wrong.text.find("--image: expected channels x height x width") != std::string::npos);
}

TEST_CASE("a run that the host's memory does not hold is refused, with the numbers") {
  const Folder folder;
  const std::string out = folder / "run";
  const Answer answer = program(
      "train configs/synthetic_eamsgd.toml --set network.file=networks/photos_resnet18.toml "
      "--set data.crop=0 --set data.limit=500 --set data.memory=100000 --set workers.batch=65536 "
      "--set workers.threads=1 "
      "--set 'workers.devices=16 x cpu' --out " +
      out);
  check_one_line(answer, 4, "host: the run takes ");
  CHECK(answer.text.find(" GiB of memory beside what is there, and ") != std::string::npos);
  CHECK(answer.text.find(", activations ") != std::string::npos);
  CHECK(answer.text.find("a smaller workers.batch") != std::string::npos);
  CHECK_FALSE(fs::exists(out));
}

TEST_CASE("every shipped configuration is understood") {
  for (const auto& entry : fs::directory_iterator("configs")) {
    if (entry.path().extension() != ".toml") continue;
    const Answer answer = program("describe " + entry.path().string());
    CAPTURE(answer.text);
    CHECK(answer.code == 0);
  }
}

TEST_CASE("a run in virtual time is the same on every machine: bytes, seconds, evaluations") {
  const Folder folder;
  const std::string run =
      kTrain +
      "--set workers.devices=[\"\\\"cpu\\\",\\\"cpu\\\",\\\"cpu\\\"\"] "
      "--set center.order=virtual --set virtual.jitter=0.3 --set algorithm.tau=2 "
      "--set virtual.transfer_seconds=0.01 --set evaluate.every.versions=5 "
      "--set stop.epochs= --set stop.steps=30 ";
  for (const char* method : {"", "--set algorithm.name=downpour --set algorithm.beta= "}) {
    const std::string first = folder / (*method ? "downpour-1" : "easgd-1");
    const std::string second = folder / (*method ? "downpour-2" : "easgd-2");
    const Answer answer = program(run + method + "--out " + first);
    CAPTURE(answer.text);
    REQUIRE(answer.code == 0);
    REQUIRE(program(run + method + "--out " + second).code == 0);
    CHECK(bytes_of(first + "/center.safetensors") == bytes_of(second + "/center.safetensors"));
    CHECK(bytes_of(first + "/order.bin") == bytes_of(second + "/order.bin"));
    const auto evaluations = [](const std::string& out) {
      std::vector<json> result;
      for (const json& event : lines_of(out + "/metrics.jsonl")) {
        if (event["event"] == "evaluation") result.push_back(event);
      }
      return result;
    };
    CHECK(evaluations(first) == evaluations(second));
    CHECK(evaluations(first).size() >= 9);
    const json summary = json::parse(bytes_of(first + "/summary.json"));
    CHECK(summary["virtual_seconds"] > 2.0);  // 30 steps of 0.1 s
    CHECK(summary["virtual_seconds"] < 4.5);
    CHECK(evaluations(first).back()["time"] == summary["virtual_seconds"]);
  }
  check_one_line(
      program(kTrain + "--set center.order=virtual --set stop.seconds=1 --out " + folder / "c"), 2,
      "virtual time ends after epochs or steps");
}

TEST_CASE("what an algorithm does not take is said") {
  const Folder folder;
  const std::string out = " --out " + folder / "run";
  const std::string bare = kTrain + "--set algorithm.beta= ";
  check_one_line(program(bare + "--set algorithm.name=mdownpour" + out), 2,
                 "expected tau 1, found 10");
  check_one_line(program(bare + "--set algorithm.name=local_sgd" + out), 2,
                 "local_sgd is synchronous");
  check_one_line(program(bare + "--set algorithm.name=mvasgd" + out), 2, "takes alpha alone");
  check_one_line(program(kTrain + "--set algorithm.name=downpour" + out), 2, "no elastic force");
  check_one_line(program(bare + "--set algorithm.name=eamsgd_tree" + out), 2, "exactly one of");
  check_one_line(program(kTrain + "--set algorithm.name=eamsgd_tree --set tree.fanout=1" + out), 2,
                 "expected a value in 2..65533");
  check_one_line(
      program(kTrain + "--set algorithm.name=easgd_tree --set algorithm.exchange=synchronous" +
              out),
      2, "easgd_tree is asynchronous");
  check_one_line(program(bare +
                         "--set algorithm.name=mdownpour --set algorithm.tau=1 "
                         "--set algorithm.tau_schedule.kind=power" +
                         out),
                 2, "its tau has no schedule");
}

TEST_CASE("a network with batch normalisation: each policy's run is evaluated and replayed alike") {
  const Folder folder;
  write_small_set(folder / "set");
  std::ofstream(folder / "net.toml")
      << "[[layer]]\ntype = \"conv\"\nchannels = 4\nkernel = 3\nuse_bias = false\n"
         "[[layer]]\ntype = \"batchnorm\"\n[[layer]]\ntype = \"relu\"\n"
         "[[layer]]\ntype = \"residual\"\nname = \"block\"\nchannels = 8\nstride = 2\n"
         "[[layer]]\ntype = \"linear\"\noutputs = 10\n"
         "[[layer]]\ntype = \"softmax_cross_entropy\"\n";
  std::map<std::string, std::string> tensors;
  std::map<std::string, double> losses;
  for (const std::string policy : {"average", "recompute", "keep"}) {
    CAPTURE(policy);
    const std::string run = folder / policy;
    const std::string settings =
        "train configs/mnist_lenet.toml --set data.dir=" + folder / "set" +
        " --set data.crop=0 --set network.file=" + folder / "net.toml" +
        " --set network.statistics=" + policy +
        " --set network.statistics_samples=500 --set 'workers.devices=[\"cpu\",\"cpu\"]' --set "
        "workers.batch=20"
        " --set workers.threads=1 --set center.order=round_robin --set stop.epochs=30"
        " --set algorithm.learning_rate=0.1 --set algorithm.tau=7 ";
    const Answer answer = program(settings + "--out " + run);
    CAPTURE(answer.text);
    REQUIRE(answer.code == 0);
    const json summary = json::parse(bytes_of(run + "/summary.json"));
    losses[policy] = summary["test_loss"];
    CHECK(summary["test_error"] < 0.5);
    char expected[60];
    std::snprintf(expected, sizeof expected, "test loss %.6f", losses[policy]);
    CHECK(program("evaluate " + run).text.find(expected) != std::string::npos);
    tensors[policy] = bytes_of(run + "/center.safetensors");
    CHECK(tensors[policy].find("block.downsample.1.running_var") != std::string::npos);
    REQUIRE(program("train " + run + "/config.toml --out " + run + "2").code == 0);
    CHECK(bytes_of(run + "2/center.safetensors") == tensors[policy]);
    const std::string replay = settings + "--set center.order=replay --set center.replay=" + run +
                               "/order.bin --set evaluate.batch=7 --out " + run + "3";
    if (policy == "recompute") {  // by batches of evaluation
      check_one_line(program(replay), 2,
                     "the recorded run had \"batch = 200\", this one has \"batch = 7\"");
      continue;
    }
    REQUIRE(program(replay).code == 0);
    CHECK(tensors_of(run + "3/center.safetensors") == tensors_of(run + "/center.safetensors"));
  }
  // The parameters are the same; what they are evaluated with is not.
  CHECK(losses["average"] != losses["recompute"]);
  CHECK(losses["average"] != losses["keep"]);
}

TEST_CASE("profilers see the names of threads and what each does when") {
  const Folder folder;
  const std::string run =
      kTrain +
      "--set workers.devices=[\"\\\"cpu\\\",\\\"cpu\\\"\"] --set workers.threads=1 --set "
      "stop.epochs= "
      "--set stop.steps=20 --set algorithm.tau=2 --set profile.steps=[5,9] --out " +
      folder / "run";
  const std::string listener = EASGD_RANGE_LISTENER;
  if (listener.empty()) {
    CHECK(program(run).text.find("was built without NVTX") != std::string::npos);
    return;
  }
  const Answer answer = program(
      run, "NVTX_INJECTION64_PATH=" + listener + " RANGE_LOG=" + folder / "ranges.json" + " ");
  CAPTURE(answer.text);
  REQUIRE(answer.code == 0);
  const json seen = json::parse(bytes_of(folder / "ranges.json"));
  CHECK(seen["threads"] ==
        json({"clock", "evaluator", "keeper", "master", "signals", "worker 0", "worker 1"}));
  const json& ranges = seen["ranges"];
  for (const std::string part : {"", "/wait for batch", "/gradient", "/update"}) {
    CAPTURE(part);
    CHECK(ranges["easgd:profile/step" + part] == 4);  // of worker 0: 5, 6, 7, 8
    CHECK(ranges["easgd:step" + part] == 36);         // the rest of both
  }
  for (const std::string part : {"/linear forward", "/linear backward"}) {
    CAPTURE(part);
    CHECK(ranges.value("easgd:profile/step/gradient" + part, 0) >= 4);  // of each piece
  }
  // Batch normalisation meets, and helpers have pieces too.
  const Answer two = program(
      "train configs/cifar10_resnet20.toml --set data.set=synthetic --set workers.devices=cpu "
      "--set workers.threads=2 --set workers.batch=16 --set stop.steps=3 --set data.test_limit=16 "
      "--set evaluate.batch=16 "
      "--set network.statistics=keep --out " +
          folder / "two",
      "NVTX_INJECTION64_PATH=" + listener + " RANGE_LOG=" + folder / "two.json" + " ");
  CAPTURE(two.text);
  REQUIRE(two.code == 0);
  const json of_two = json::parse(bytes_of(folder / "two.json"))["ranges"];
  for (const std::string name :
       {"prepare weights", "bn1 forward", "bn1 backward", "add gradients"}) {
    CAPTURE(name);
    int count = of_two.value("easgd:step/gradient/" + name, 0);
    const bool of_pieces = name.starts_with("bn");  // each surveys, they meet, each goes on
    if (of_pieces) count += of_two.value("easgd:" + name, 0);
    CHECK(count >= (of_pieces ? 3 * (2 + 1 + 2) : 3));
  }
  CHECK(seen["seconds"]["easgd:profile/step"] > seen["seconds"]["easgd:profile/step/gradient"]);
  CHECK(ranges["easgd:profile/step/post letter"] == 2);
  CHECK(ranges["easgd:profile/step/wait for reply"] == 2);
  CHECK(ranges["easgd:profile"] == 1);
  CHECK(ranges["easgd:absorb"] == 20);
  CHECK(ranges["easgd:evaluate"] >= 1);
  check_one_line(program(run + "2 --set profile.steps=[9,5]"), 2,
                 "expected two steps, the first before the last, as in [100, 200]; found [9, 5]");
}

TEST_CASE(
    "batches of one where a batch norm sees one value a channel; threads of a recomputation") {
  const Folder folder;
  write_small_set(folder / "set");
  std::ofstream(folder / "net.toml")
      << "[[layer]]\ntype = \"linear\"\noutputs = 4\n[[layer]]\ntype = \"batchnorm\"\n"
         "[[layer]]\ntype = \"linear\"\noutputs = 10\n"
         "[[layer]]\ntype = \"softmax_cross_entropy\"\n";
  const std::string settings =
      "train configs/mnist_lenet.toml --set data.dir=" + folder / "set" +
      " --set data.crop=0 --set network.file=" + folder / "net.toml" +
      " --set 'workers.devices=[\"cpu\"]' --set workers.batch=20 --set stop.epochs=1 ";
  const std::string run = folder / "run";
  check_one_line(program(settings + "--set workers.batch=1 --out " + run), 2,
                 "--set workers.batch=1: workers.batch: a batch of 1 leaves each channel of "
                 "batchnorm2");
  check_one_line(program(settings + "--set evaluate.batch=1 --out " + run), 2,
                 "--set evaluate.batch=1: evaluate.batch: a batch of 1");
  REQUIRE(program(settings + "--out " + run).code == 0);
  CHECK(program("evaluate " + run + " --set evaluate.batch=1").code == 0);
  if (std::thread::hardware_concurrency() > 1) {
    check_one_line(program(settings +
                           "--set evaluate.threads=2 --set center.order=replay --set "
                           "center.replay=" +
                           run + "/order.bin --out " + run + "2"),
                   2, "the recorded run had \"threads = 1\", this one has \"threads = 2\"");
  }
}

TEST_CASE("all-reduce with p workers and batch b is one worker with batch p b") {
  const Folder folder;
  write_small_set(folder / "set");
  const auto run = [&](const std::string& name, const std::string& settings) {
    const Answer answer =
        program("train configs/mnist_logistic.toml --set data.dir=" + folder / "set" +
                " --set data.order=sequential --set stop.epochs= --set stop.steps=60"
                " --set algorithm.beta= --set algorithm.learning_rate=0.1"
                " --set algorithm.schedule.kind=constant --set algorithm.tau=1"
                " --set workers.threads=1 --out " +
                folder / name + " " + settings);
    CAPTURE(answer.text);
    REQUIRE(answer.code == 0);
    return json::parse(bytes_of(folder / name + "/summary.json"));
  };
  const json many = run("many",
                        "--set algorithm.name=allreduce --set algorithm.exchange=synchronous"
                        " --set 'workers.devices=[\"cpu\",\"cpu\",\"cpu\",\"cpu\"]'"
                        " --set workers.batch=10");
  const json one = run("one",
                       "--set algorithm.name=msgd --set 'workers.devices=[\"cpu\"]'"
                       " --set workers.batch=40");
  CHECK(one["test_loss"].get<double>() < 2);
  CHECK(many["test_loss"].get<double>() ==
        doctest::Approx(one["test_loss"].get<double>()).epsilon(1e-5));
  const std::string a = tensors_of(folder / "many/center.safetensors");
  const std::string b = tensors_of(folder / "one/center.safetensors");
  REQUIRE(a.size() == b.size());
  double apart = 0, length = 0;
  for (std::size_t i = 0; i < a.size(); i += sizeof(float)) {
    float x = 0, y = 0;
    std::memcpy(&x, a.data() + i, sizeof x);
    std::memcpy(&y, b.data() + i, sizeof y);
    apart += std::pow(double(x) - double(y), 2);
    length += std::pow(double(x), 2);
  }
  CHECK(apart <= 1e-10 * length);
}
