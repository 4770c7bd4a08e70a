// Runs of the program in which something fails: a worker, a disk, the loss, the data's files.

#include <doctest/doctest.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "base/error.h"
#include "program.h"
#include "runs/checkpoint_file.h"
#include "runs/run_record.h"
#include "settings/load.h"
#include "temporary_folder.h"
#include "train/trainer.h"

using namespace easgd;
using namespace easgd::testing;
namespace fs = std::filesystem;
using nlohmann::json;

namespace {

/// Of three workers, a second long.
const std::string kThree =
    "train configs/synthetic_logistic.toml --set data.limit=300 --set data.test_limit=50 "
    "--set 'workers.devices=3 x cpu' --set workers.threads=1 --set workers.batch=16 "
    "--set algorithm.tau=3 --set stop.epochs= --set stop.steps=200 "
    "--set evaluate.every= --set evaluate.every.versions=20 ";

std::string failing(const std::string& sentences) {
  return "--set 'debug.fail=[" + sentences + "]' ";
}

std::vector<json> events_in(const std::string& folder, const std::string& kind) {
  std::vector<json> found;
  for (const json& event : lines_of(folder + "/metrics.jsonl")) {
    if (event["event"] == kind) found.push_back(event);
  }
  return found;
}

json summary_of_run(const std::string& folder) {
  return json::parse(bytes_of(folder + "/summary.json"));
}

Answer must_end(const std::string& arguments) {
  const Answer answer = program(arguments);
  CAPTURE(answer.text);
  REQUIRE(answer.code == 0);
  return answer;
}

}  // namespace

TEST_CASE("a worker that fails begins again, which is told, counted and replayed") {
  const TemporaryFolder folder;
  const std::string faults = failing(
      "\"worker 1 throws at step 40\", \"worker 2 runs out of memory at step 70\", "
      "\"worker 0 sends NaN at step 100\"");
  for (const std::string order : {"free", "virtual"}) {
    CAPTURE(order);
    const std::string run = folder / order, again = folder / (order + "-again");
    const std::string sets =
        kThree + faults + "--set workers.on_failure=restart --set center.order=" + order;
    const Answer answer = must_end(sets + " --out " + run);
    CHECK(answer.text.find("worker 1 on cpu failed: debug.fail: worker 1 throws at step 40; it "
                           "begins again from the center") != std::string::npos);
    CHECK(answer.text.find("worker 1 goes on with step 40 from the center of version ") !=
          std::string::npos);
    CHECK(answer.text.find(", workers began again 2 times") != std::string::npos);
    const json summary = summary_of_run(run);
    CHECK(summary["restarts"] == 2);
    CHECK(summary["failed_workers"] == 0);
    CHECK(summary["refused_letters"] == 1);
    CHECK(summary["steps"] == json({200, 200, 200}));
    const auto failures = events_in(run, "failure"), restarts = events_in(run, "restart");
    REQUIRE(failures.size() == 2);
    REQUIRE(restarts.size() == 2);
    for (std::size_t i = 0; i < 2; ++i) {
      CHECK(failures[i]["then"] == "restart");
      CHECK(failures[i].contains(order == "free" ? "time" : "wall_time"));
      CHECK(restarts[i]["worker"] == (restarts[i]["step"] == 40 ? 1 : 2));
    }
    if (order == "virtual") {
      must_end(sets + " --out " + again);
      CHECK(bytes_of(again + "/center.safetensors") == bytes_of(run + "/center.safetensors"));
      CHECK(bytes_of(again + "/order.bin") == bytes_of(run + "/order.bin"));
      continue;
    }
    must_end("train " + run + "/config.toml --set center.order=replay --set center.replay=" + run +
             "/order.bin --out " + again);
    CHECK(bytes_of(again + "/center.safetensors") == bytes_of(run + "/center.safetensors"));
    CHECK(bytes_of(again + "/order.bin") == bytes_of(run + "/order.bin"));
    CHECK(events_in(again, "failure").empty());
    CHECK(summary_of_run(again)["restarts"] == 2);
  }
}

TEST_CASE("a worker that is gone stays so, in a replay and when the run goes on") {
  const TemporaryFolder folder;
  const std::string run = folder / "run", again = folder / "again";
  const Answer answer =
      must_end(kThree + failing("\"worker 2 loses its device at step 50\"") + "--out " + run);
  CHECK(answer.text.find("worker 2 on cpu failed: cpu: debug.fail: worker 2 loses its device at "
                         "step 50; the others go on without it") != std::string::npos);
  CHECK(summary_of_run(run)["failed_workers"] == 1);
  CHECK(summary_of_run(run)["steps"] == json({200, 200, 50}));
  must_end("train " + run + "/config.toml --set center.order=replay --set center.replay=" + run +
           "/order.bin --out " + again);
  CHECK(bytes_of(again + "/center.safetensors") == bytes_of(run + "/center.safetensors"));
  CHECK(bytes_of(again + "/order.bin") == bytes_of(run + "/order.bin"));
  CHECK(summary_of_run(again)["failed_workers"] == 1);

  const std::string paused = folder / "paused";
  must_end(kThree + failing("\"worker 2 loses its device at step 50\"") +
           "--set center.order=virtual --pause-at steps=100 --out " + paused);
  const std::vector<std::uint64_t> there = events_in(paused, "evaluation").back()["steps"];
  CHECK(there[0] + there[1] >= 200);
  CHECK(there[0] + there[1] < 200 + 3);  // the one that is gone does not hold it back
  const Answer rest = must_end("train --resume " + paused);
  CHECK(rest.text.find("worker 2 is gone since it has failed") != std::string::npos);
  CHECK(events_in(paused, "warning").size() == 1);
  CHECK(summary_of_run(paused)["failed_workers"] == 1);
  CHECK(summary_of_run(paused)["steps"] == json({200, 200, 50}));
}

TEST_CASE("workers that have all failed begin again when the run goes on, and are told so") {
  const TemporaryFolder folder;
  const std::string run = folder / "run";
  const Answer failed = program(kThree +
                                failing("\"worker 0 throws at step 20\", \"worker 1 throws at step "
                                        "22\", \"worker 2 throws at step 24\"") +
                                "--set checkpoint.every.versions=5 --out " + run);
  CAPTURE(failed.text);
  CHECK(failed.code == 1);
  const Answer rest = must_end("train --resume " + run + " --set debug.fail=[]");
  CHECK(rest.text.find("is gone since") == std::string::npos);
  for (const char* worker : {"worker 0", "worker 1", "worker 2"}) {
    CHECK(
        rest.text.find(worker + std::string(", which had failed, starts again from the center")) !=
        std::string::npos);
  }
  CHECK(summary_of_run(run)["failed_workers"] == 0);
  CHECK(summary_of_run(run)["steps"] == json({200, 200, 200}));
}

TEST_CASE("a run goes on after a worker began again, also one that was given up and came back") {
  const TemporaryFolder folder;
  for (const std::string policy : {"continue", "restart"}) {
    CAPTURE(policy);
    const bool restarts = policy == "restart";
    const std::string run = folder / policy;
    // Step 43 has no exchange. The worker comes back before the pause.
    must_end(kThree +
             failing("\"worker 0 stalls 1.5 s at step 43\", \"worker 1 throws at step 70\", "
                     "\"worker 2 stalls 0.015 s from step 0 to 200\"") +
             "--set workers.patience=1 --set workers.on_failure=" + policy +
             " --pause-at steps=180 --out " + run);
    CHECK(summary_of_run(run)["restarts"] == (restarts ? 2 : 0));
    must_end("train --resume " + run);
    const json summary = summary_of_run(run);
    CHECK(summary["restarts"] == (restarts ? 2 : 0));
    CHECK(summary["failed_workers"] == (restarts ? 0 : 2));
    CHECK(summary["steps"] == (restarts ? json({200, 200, 200}) : json({43, 70, 200})));
  }
}

TEST_CASE("a worker that stands still is given up after its patience, or begins again") {
  const TemporaryFolder folder;
  for (const std::string policy : {"continue", "restart", "stop"}) {
    CAPTURE(policy);
    const std::string run = folder / policy;
    // It would stand still for a day. Its thread does not keep the program from its end.
    const Answer answer =
        program(kThree + failing("\"worker 1 stalls 86400 s at step 40\"") +
                "--set workers.patience=2 --set workers.on_failure=" + policy + " --out " + run);
    CAPTURE(answer.text);
    CHECK(answer.code == (policy == "stop" ? 4 : 0));
    CHECK(answer.text.find("worker 1 on cpu failed: has been in \"gradient\" of step 40 for 2 s") !=
          std::string::npos);
    const json summary = summary_of_run(run);
    CHECK(summary["status"] == (policy == "stop" ? "failed" : "done"));
    CHECK(summary["failed_workers"] == (policy == "restart" ? 0 : 1));
    CHECK(summary["restarts"] == (policy == "restart" ? 1 : 0));
    if (policy != "stop") CHECK(summary["steps"][0] == 200);
    CHECK(summary["steps"][1] == (policy == "restart" ? 200 : 40));
    CHECK(fs::exists(run + "/order.bin"));
    CHECK(program("evaluate " + run).code == 0);
  }
}

TEST_CASE("what the policies for failures do not take is told in one line") {
  check_one_line(program(kThree + failing("\"worker 3 throws at step 4\"")), 2,
                 "debug.fail: \"worker 3 throws at step 4\": expected a worker below 3, found 3");
  check_one_line(program(kThree + failing("\"worker 1 trows at step 4\"")), 2,
                 "debug.fail: expected one of \"worker # throws\"");
  check_one_line(program(kThree + "--set workers.patience=2 --set center.place=cuda:0"), 2,
                 "workers.patience: needs the center in host memory; found center.place");
  check_one_line(program("train configs/synthetic_logistic.toml --set algorithm.name=admm "
                         "--set algorithm.tau=1 --set workers.on_failure=restart"),
                 2, "workers.on_failure: admm has in its center what only a worker knows");
}

TEST_CASE("a loss that rises suddenly ends the run, or takes it back once with a lower rate") {
  const TemporaryFolder folder;
  const std::string base = kThree +
                           "--set center.order=virtual --set checkpoint.every.versions=10 " +
                           "--set guard.spike=6 --set checkpoint.keep=100 --set stop.steps=1200 "
                           "--set evaluate.every.versions=500 ";
  const std::string once =
      failing("\"worker 1 multiplies its loss by 100 from step 1000 to 1005\"");
  const std::string calm = folder / "calm", stop = folder / "stop", back = folder / "back";
  must_end(base + "--set guard.action=stop --out " + calm);
  CHECK(events_in(calm, "guard").empty());

  const Answer stopped = must_end(base + once + "--set guard.action=stop --out " + stop);
  CHECK(stopped.text.find("the training loss is lost at version ") != std::string::npos);
  CHECK(summary_of_run(stop)["status"] == "diverged");
  REQUIRE(events_in(stop, "guard").size() == 1);
  CHECK(events_in(stop, "guard")[0]["then"] == "stop");
  CHECK(summary_of_run(stop)["steps"][1] < 1200);
  CHECK(fs::exists(stop + "/checkpoints"));

  // The fault strikes once more, after the step back: the run ends there.
  const Answer gone_back = must_end(base + once + "--set guard.action=back --out " + back);
  CAPTURE(gone_back.text);
  const auto guards = events_in(back, "guard");
  REQUIRE(guards.size() == 2);
  CHECK(guards[0]["then"] == "back");
  CHECK(guards[0]["to_version"] < guards[0]["version"]);
  CHECK(guards[1]["then"] == "stop");
  CHECK(summary_of_run(back)["status"] == "diverged");
  check_one_line(program("train " + back + "/config.toml --set center.order=replay " +
                         "--set center.replay=" + back + "/order.bin --out " + folder / "replay"),
                 2, "center.replay: the recorded run went back to version ");
}

TEST_CASE("a letter that is not finite takes the run back, and evaluations follow each other") {
  const TemporaryFolder folder;
  const std::string run = folder / "run";
  const Answer answer = program(kThree +
                                "--set stop.steps=1200 --set evaluate.every.versions=500 --set "
                                "checkpoint.every.versions=10 --set guard.action=back --out " +
                                run + " " + failing("\"worker 1 sends NaN at step 1000\""));
  CAPTURE(answer.text);
  CHECK(answer.code == 0);
  const auto guards = events_in(run, "guard");
  REQUIRE(!guards.empty());
  CHECK(guards[0]["then"] == "back");
  std::uint64_t version = 0;
  for (const json& evaluation : events_in(run, "evaluation")) {
    CHECK(evaluation["version"] >= version);
    version = evaluation["version"];
  }
}

TEST_CASE(
    "a full disk and a read-only folder cost what cannot be written, and what was saved is whole") {
  const TemporaryFolder folder;
  const std::string run = folder / "run";
  const Answer answer =
      must_end(kThree + failing("\"the disk is full from version 30 to 100\"") +
               "--set center.order=virtual --set checkpoint.every.versions=10 --out " + run);
  CAPTURE(answer.text);
  CHECK(answer.text.find("No space left on device (debug.fail: the disk is full from version 30 to "
                         "100); the run goes on") != std::string::npos);
  CHECK(summary_of_run(run)["status"] == "done");
  CHECK(program("evaluate " + run).code == 0);

  // A folder that is read-only to the end loses the last center, and says which one is there.
  const std::string barred = folder / "barred";
  const Answer failed =
      program(kThree + failing("\"the folder is read-only from version 30 to 1000000\"") +
              "--set center.order=virtual --out " + barred);
  CAPTURE(failed.text);
  CHECK(failed.code == 3);
  CHECK(failed.text.find("Read-only file system") != std::string::npos);
  CHECK(failed.text.find("center.safetensors is of version ") != std::string::npos);
  CHECK(summary_of_run(barred)["status"] == "failed");
  CHECK(program("evaluate " + barred).code == 0);
}

TEST_CASE("a disk that is full halfway through a checkpoint costs that one, and few lines") {
  const TemporaryFolder folder;
  const std::string run = folder / "run";
  const pid_t child = start_training(
      {"configs/synthetic_logistic.toml", "--out", run, "--set", "data.limit=500", "--set",
       "workers.devices=3 x cpu", "--set", "workers.threads=1", "--set", "stop.epochs=", "--set",
       kSanitized ? "stop.seconds=20" : "stop.seconds=3", "--set", "checkpoint.every.versions=20",
       "--set", "evaluate.every.versions=100"},
      folder / "log");
  wait_for_file(run + "/checkpoints");
  for (int naps = 0; naps < 250 && events_in(run, "checkpoint").empty(); ++naps) sleep_ms(10);
  // From now on a center has room, and a checkpoint, with three replicas, has not.
  const rlimit small{200'000, RLIM_INFINITY};
  REQUIRE(prlimit(child, RLIMIT_FSIZE, &small, nullptr) == 0);
  CHECK(code_of(child) == 0);
  const std::string log = bytes_of(folder / "log"), line = "File too large; the run goes on";
  CAPTURE(log);
  std::size_t lines = 0;
  for (std::size_t at = 0; (at = log.find(line, at)) != log.npos; ++at) ++lines;
  CHECK(lines >= 1);
  CHECK(lines <= 12);  // the first failure, then whenever there are twice as many
  CHECK(summary_of_run(run)["status"] == "done");
  CHECK(program("evaluate " + run).code == 0);
  // Those of before are whole, and nothing of the others is there.
  std::uint64_t last = 0;
  for (const auto& entry : fs::directory_iterator(run + "/checkpoints")) {
    CHECK_NOTHROW(read_checkpoint(entry.path()));
    last = std::max(last, read_checkpoint(entry.path()).version);
  }
  CHECK(last == events_in(run, "checkpoint").back()["version"]);
  CHECK(last < summary_of_run(run)["exchanges"]);
}

namespace {

/// A hundred images and as many for tests, all grey, each of class `label`.
void write_digits(const std::string& folder, char label) {
  fs::create_directories(folder);
  const auto big_endian = [](std::size_t n) {
    return std::string{char(n >> 24), char(n >> 16), char(n >> 8), char(n)};
  };
  for (const std::string name : {"train", "t10k"}) {
    std::ofstream(folder + "/" + name + "-images-idx3-ubyte", std::ios::binary)
        << big_endian(0x803) + big_endian(100) + big_endian(6) + big_endian(6) +
               std::string(3600, '\x11');
    std::ofstream(folder + "/" + name + "-labels-idx1-ubyte", std::ios::binary)
        << big_endian(0x801) + big_endian(100) + std::string(100, label);
  }
}

}  // namespace

TEST_CASE("a run goes on with the images and labels that it began with, and no others") {
  const TemporaryFolder folder;
  const std::string data = folder / "data", run = folder / "run";
  write_digits(data, 1);
  must_end(
      "train configs/mnist_logistic.toml --set workers.batch=10 --set stop.epochs= --set "
      "stop.steps=50 --pause-at steps=5 --set "
      "data.dir=" +
      data + " --out " + run);
  write_digits(data, 2);
  const std::string log = bytes_of(run + "/metrics.jsonl");
  check_one_line(program("train --resume " + run), 2,
                 "data.dir: the run that is to go on has been trained with 100 training and 100 "
                 "test images of 10 classes, and here are others, as many; --from-center");
  CHECK(bytes_of(run + "/metrics.jsonl") == log);
  write_digits(data, 1);
  must_end("train --resume " + run);
}

TEST_CASE("data files that vanish or shrink after they were read do not matter to the run") {
  const TemporaryFolder folder;
  const std::string data = folder / "data", run = folder / "run";
  write_digits(data, 1);
  const pid_t child = start_training(
      {"configs/mnist_logistic.toml", "--out", run, "--set", "data.dir=" + data, "--set",
       "stop.epochs=", "--set", "stop.seconds=2", "--set", "workers.batch=10"},
      folder / "log");
  wait_for_file(run + "/center.safetensors");
  fs::remove(data + "/train-images-idx3-ubyte");
  fs::resize_file(data + "/t10k-images-idx3-ubyte", 20);
  CHECK(code_of(child) == 0);
  CHECK(summary_of_run(run)["status"] == "done");
  check_one_line(program("evaluate " + run), 3, "images-idx3-ubyte");
}

TEST_CASE("a folder that takes nothing more costs a line now and then, and the run goes on") {
  const TemporaryFolder folder;
  const std::string run = folder / "run";
  const pid_t child = start_training(
      {"configs/synthetic_logistic.toml", "--out", run, "--set", "data.limit=500", "--set",
       "stop.epochs=", "--set", "stop.seconds=" + std::to_string(kSanitized ? 8 : 4), "--set",
       "checkpoint.every.versions=20", "--set", "evaluate.every.versions=1000000"},
      folder / "log");
  for (int naps = 0; naps < 1000 && bytes_of(folder / "log").find("is safe") == std::string::npos;
       ++naps) {
    sleep_ms(5);
  }
  // A file in its place stands for a folder that cannot be written: root can write them all.
  fs::rename(run + "/checkpoints", folder / "moved");
  std::ofstream(run + "/checkpoints") << "no folder";
  CHECK(code_of(child) == 0);
  const std::string log = bytes_of(folder / "log");
  CAPTURE(log);
  std::size_t lines = 0;
  for (std::size_t at = 0; (at = log.find("; the run goes on", at)) != log.npos; ++at) ++lines;
  CHECK(log.find("the run goes on, its last checkpoint is of version ") != log.npos);
  CHECK(lines > 1);
  CHECK(lines < 20);
  CHECK(summary_of_run(run)["status"] == "done");
}

TEST_CASE("a signal ends a run with a worker that stands still, which is there when it goes on") {
  const TemporaryFolder folder;
  for (const std::string order : {"free", "round_robin"}) {
    CAPTURE(order);
    const std::string run = folder / order, calm = folder / ("calm" + order);
    const std::string log = folder / "log";
    std::vector<std::string> words = {"configs/synthetic_logistic.toml"};
    for (const std::string set :
         {"data.limit=300", "data.test_limit=50", "workers.devices=3 x cpu", "workers.threads=1",
          "workers.batch=16", "algorithm.tau=3", "stop.epochs=", "stop.steps=2000",
          "evaluate.every=", "evaluate.every.versions=200", "checkpoint.every.versions=5"}) {
      words.insert(words.end(), {"--set", set});
    }
    words.insert(words.end(), {"--set", "center.order=" + order, "--out"});
    std::vector<std::string> undisturbed = words;
    undisturbed.push_back(calm);
    words.insert(words.end(),
                 {run, "--set", "debug.fail=[\"worker 1 stalls 9999 s at step 400\"]"});
    const pid_t child = start_training(words, log);
    wait_for_file(run + "/checkpoints");
    sleep_ms(kSanitized ? 15'000
                        : 1500);  // worker 1 has come to its step, or the signal is a common one
    const auto begin = std::chrono::steady_clock::now();
    kill(child, SIGTERM);
    const int code = code_of(child);
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
    CAPTURE(bytes_of(log));
    CHECK(code == 130);
    CHECK(took.count() < 20);  // 6 where nothing else is at work
    CHECK(bytes_of(log).find("worker 1 on cpu is left behind: ") != std::string::npos);
    CHECK(bytes_of(log).find("of step 400 for 4 s; the run ends") != std::string::npos);
    CHECK(events_in(run, "failure").back()["then"] == "left");
    must_end("train --resume " + run + " --set 'debug.fail=[]'");
    CHECK(summary_of_run(run)["status"] == "done");
    CHECK(summary_of_run(run)["failed_workers"] == 0);
    if (order == "free") continue;
    REQUIRE(code_of(start_training(undisturbed, log)) == 0);
    CHECK(bytes_of(run + "/center.safetensors") == bytes_of(calm + "/center.safetensors"));
    CHECK(bytes_of(run + "/order.bin") == bytes_of(calm + "/order.bin"));
  }
}

TEST_CASE("a run whose time is up ends without a worker that stands still") {
  const TemporaryFolder folder;
  const std::string run = folder / "run";
  must_end(kThree + failing("\"worker 1 stalls 9999 s at step 40\"") +
           "--set center.order=free --set stop.steps= --set stop.seconds=2 --out " + run);
  CHECK(summary_of_run(run)["status"] == "done");
  CHECK(summary_of_run(run)["failed_workers"] == 0);
  CHECK(events_in(run, "failure").back()["then"] == "left");
  CHECK(fs::exists(run + "/order.bin"));
  CHECK(fs::exists(run + "/center.safetensors"));
}

TEST_CASE("a disk that is full gives up the oldest checkpoint for a new one") {
  const TemporaryFolder folder;
  const std::string calm = folder / "calm", disk = folder / "disk", run = disk + "/run";
  const std::string slowly = failing(
      "\"worker 0 stalls 0.005 s from step 0 to 400\", \"worker 1 stalls 0.005 s from step 0 to "
      "400\", \"worker 2 stalls 0.005 s from step 0 to 400\"");
  const std::string train = kThree + slowly +
                            "--quiet --set stop.steps=400 --set checkpoint.keep=20 --set "
                            "evaluate.every.versions=1000 --set checkpoint.every.versions=";
  must_end(train + "100 --out " + calm);
  const std::uint64_t checkpoint = events_in(calm, "checkpoint").at(0)["bytes"];
  const std::uint64_t room = 18 * checkpoint / 5 + 3 * fs::file_size(calm + "/center.safetensors");
  fs::create_directory(disk);
  std::ofstream(folder / "script")
      << "mount -t tmpfs -o size=" << room + 300'000 << " none " << disk
      << " || exit 99\n" EASGD_PROGRAM " " << train << "50 --out " << run << "\ncode=$?\nls " << run
      << "/checkpoints\ncat " << run << "/metrics.jsonl\nexit $code\n";
  // A disk of the command's own.
  const Answer answer = shell("unshare --map-root-user --mount sh " + folder / "script");
  if (answer.code == 99 || answer.text.starts_with("unshare")) {
    MESSAGE("skipped: nobody may mount a disk here");
    return;
  }
  CAPTURE(answer.text);
  CHECK(answer.code == 0);
  CHECK(answer.text.find("No space left") == std::string::npos);
  std::vector<std::uint64_t> kept, made;
  std::istringstream lines(answer.text);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("version-")) kept.push_back(std::stoull(line.substr(8)));
    if (!line.starts_with("{")) continue;
    const json event = json::parse(line);
    if (event["event"] == "checkpoint") made.push_back(event["version"]);
  }
  std::ranges::sort(kept);
  CHECK(made.size() >= 6);
  REQUIRE(kept.size() >= 2);
  CHECK(kept.size() < made.size());
  CHECK(std::ranges::equal(kept, std::span(made).last(kept.size())));
}
