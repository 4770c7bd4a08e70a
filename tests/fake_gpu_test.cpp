// The program on GPUs that are none (tests/fake_gpu): everything of the CUDA side but NVIDIA's
// own libraries, from the configuration to the run folder.

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>

#include "pictures/jpeg_writer.h"
#include "program.h"
#include "settings/load.h"
#include "temporary_folder.h"

using namespace easgd::testing;
using nlohmann::json;

namespace {

/// A small network on a few of the built-in images.
constexpr const char* kConfig = R"(name = "fake"
[data]
set = "synthetic"
limit = 200
test_limit = 100
crop = 28
flip = true
[[network.layer]]
type = "conv"
channels = 6
kernel = 5
[[network.layer]]
type = "batchnorm"
[[network.layer]]
type = "relu"
[[network.layer]]
type = "maxpool"
kernel = 4
stride = 4
[[network.layer]]
type = "dropout"
rate = 0.2
[[network.layer]]
type = "linear"
outputs = 10
[[network.layer]]
type = "softmax_cross_entropy"
[algorithm]
name = "eamsgd"
tau = 2
beta = 0.9
learning_rate = 0.005
[workers]
devices = [0, 0]
batch = 8
[stop]
steps = 30
)";

struct Runs {
  Runs() { std::ofstream(folder / "c.toml") << kConfig; }

  /// Of the summary.
  json train(const std::string& name, const std::string& settings) const {
    const Answer answer =
        program("train " + file("c.toml") + " --out " + file(name) + " " + settings,
                "EASGD_FAKE_DEVICES=2 ");
    CAPTURE(answer.text);
    REQUIRE(answer.code == 0);
    return json::parse(bytes_of(file(name, "summary.json")));
  }
  std::string file(const std::string& name, const std::string& which = "") const {
    return folder / (which.empty() ? name : name + "/" + which);
  }

  TemporaryFolder folder;
};

double loss(const json& summary) {
  return summary.at("test_loss");
}

}  // namespace

TEST_CASE("fake GPUs: a run on one ends where a run on the CPU does, in every precision") {
  const Runs runs;
  const double cpu = loss(runs.train("cpu", "--set workers.devices=cpu"));
  const double still =
      loss(runs.train("still", "--set workers.devices=cpu --set algorithm.learning_rate=1e-9"));
  CHECK(std::abs(cpu - still) > 0.05);  // training has made a difference
  const auto on_gpu = [&](const std::string& name, const std::string& settings) {
    return loss(runs.train(name, "--set workers.devices=[0] " + settings));
  };
  CHECK(on_gpu("f32", "") == doctest::Approx(cpu).epsilon(1e-4));
  CHECK(on_gpu("sent", "--set data.resident=false") == on_gpu("kept", ""));
  CHECK(on_gpu("calls", "--set workers.graphs=false") == on_gpu("graphs", ""));
  CHECK(on_gpu("tf32", "--set workers.precision=tf32") == doctest::Approx(cpu).epsilon(1e-2));
  CHECK(on_gpu("bf16", "--set workers.precision=bf16") == doctest::Approx(cpu).epsilon(3e-2));
}

TEST_CASE("fake GPUs: plans that were searched for once are taken again") {
  const Runs runs;
  setenv("XDG_CACHE_HOME", runs.file("caches").c_str(), 1);
  const std::string settings =
      "--set workers.devices=[0] --set workers.precision=tf32 --set workers.plans=search";
  const double first = loss(runs.train("first", settings));
  const std::string choices = bytes_of(runs.file("caches", "easgd/convolution_plans.txt"));
  CHECK(std::ranges::count(choices, '\n') == 2);  // forward, filter
  CHECK(loss(runs.train("second", settings)) == first);
  CHECK(bytes_of(runs.file("caches", "easgd/convolution_plans.txt")) == choices);
  unsetenv("XDG_CACHE_HOME");
}

TEST_CASE("fake GPUs: a free run of two workers replayed is the same bytes") {
  const Runs runs;
  const json free = runs.train("free", "");
  CHECK(free.at("exchanges") == 2 * 15);
  runs.train("again",
             "--set center.order=replay --set center.replay=" + runs.file("free", "order.bin"));
  CHECK(bytes_of(runs.file("again", "center.safetensors")) ==
        bytes_of(runs.file("free", "center.safetensors")));
}

TEST_CASE("fake GPUs: rates are cut where a training loss stands still, as on the CPU") {
  const Runs runs;
  const std::string one =
      "--set stop.steps=60 --set algorithm.name=msgd --set algorithm.beta= "
      "--set algorithm.tau= --set workers.devices=";
  const std::string plateau =
      " --set 'algorithm.schedule={kind=\"plateau\",window=10,gain=0.9,cuts=[0.01]}'";
  const double cpu = loss(runs.train("cpu", one + "cpu" + plateau));
  CHECK(std::abs(loss(runs.train("uncut", one + "cpu")) - cpu) > 0.01);
  CHECK(loss(runs.train("gpu", one + "[0]" + plateau)) == doctest::Approx(cpu).epsilon(1e-4));
}

TEST_CASE("fake GPUs: pictures are of the classes that the CPU finds, in every precision") {
  const Runs runs;
  runs.train("run", "");
  std::vector<std::uint8_t> pixels(3 * 32 * 32);
  for (std::size_t i = 0; i < pixels.size(); ++i) pixels[i] = std::uint8_t(i * i / 37 % 250);
  const auto picture = easgd::jpeg_of({{3, 32, 32}, pixels}, 90);
  std::ofstream(runs.file("picture.jpg"), std::ios::binary)
      .write(reinterpret_cast<const char*>(picture.data()), std::streamsize(picture.size()));
  const auto predicted = [&](const std::string& settings) {
    const Answer answer = program("predict " + runs.file("run") + " " + runs.file("picture.jpg") +
                                      " --json --top 10 " + settings,
                                  "EASGD_FAKE_DEVICES=2 ");
    CAPTURE(answer.text);
    REQUIRE(answer.code == 0);
    std::map<int, double> probabilities;
    const json line = json::parse(answer.text);
    for (const json& prediction : line["predictions"])
      probabilities[prediction["class"]] = prediction["probability"];
    REQUIRE(probabilities.size() == 10);
    return probabilities;
  };
  const auto cpu = predicted("--set workers.devices=cpu");
  for (const auto& [precision, error] : {std::pair{"f32", 1e-4}, {"tf32", 0.01}, {"bf16", 0.05}}) {
    CAPTURE(precision);
    for (const auto& [k, probability] :
         predicted(std::string("--set workers.precision=") + precision))
      CHECK(probability == doctest::Approx(cpu.at(k)).epsilon(error));
  }
}

TEST_CASE("fake GPUs: the center may be in host memory, on a device, or on every worker's") {
  const Runs runs;
  const std::string rounds =
      "--set algorithm.exchange=synchronous --set workers.devices=[0,1] --set center.place=";
  const double pinned = loss(runs.train("pinned", rounds + "pinned"));
  CHECK(loss(runs.train("device", rounds + "cuda:1")) == doctest::Approx(pinned).epsilon(1e-5));
  CHECK(loss(runs.train("workers", rounds + "workers")) == doctest::Approx(pinned).epsilon(1e-4));
  runs.train("auto", rounds + "auto");
  CHECK(bytes_of(runs.file("auto", "config.toml")).find("place = \"workers\"") !=
        std::string::npos);
  CHECK(bytes_of(runs.file("auto", "center.safetensors")) ==
        bytes_of(runs.file("workers", "center.safetensors")));
}

namespace {

/// The versions of a run's checkpoints, rising.
std::vector<int> checkpoints_of(const std::string& run) {
  std::vector<int> versions;
  for (const auto& entry : std::filesystem::directory_iterator(run + "/checkpoints")) {
    versions.push_back(std::stoi(entry.path().filename().string().substr(8)));  // version-12
  }
  std::ranges::sort(versions);
  return versions;
}

/// As if it had been killed right after the checkpoint of a version.
void cut_back(const std::string& run, int version) {
  for (const int later : checkpoints_of(run)) {
    const std::string file = run + "/checkpoints/version-" + std::to_string(later);
    if (later > version) std::filesystem::remove(file);
  }
  for (const char* file : {"/summary.json", "/center.safetensors", "/order.bin"}) {
    std::filesystem::remove(run + file);
  }
}

}  // namespace

TEST_CASE("fake GPUs: a run that is killed goes on from its checkpoint with the same bytes") {
  const Runs runs;
  const std::string always =
      "--set stop.steps=150 --set checkpoint.every.versions=11 --set checkpoint.keep=100 ";
  int number = 0;
  for (const std::string& settings :
       {std::string("--set center.order=round_robin --set center.place=pinned"),
        std::string("--set center.order=round_robin --set center.place=cuda:1"),
        std::string("--set algorithm.exchange=synchronous --set workers.devices=[0,1] "
                    "--set center.place=workers")}) {
    CAPTURE(settings);
    const std::string run = "run" + std::to_string(number++), folder = runs.file(run);
    runs.train(run, always + settings);
    const std::string center = bytes_of(folder + "/center.safetensors");
    const std::string order = bytes_of(folder + "/order.bin");
    const std::vector<int> versions = checkpoints_of(folder);
    REQUIRE(versions.size() > 3);
    for (const int version : {versions[versions.size() / 2], versions[0]}) {
      CAPTURE(version);
      cut_back(folder, version);
      const Answer answer = program("train --resume " + folder, "EASGD_FAKE_DEVICES=2 ");
      CAPTURE(answer.text);
      REQUIRE(answer.code == 0);
      CHECK(answer.text.find("goes on from version " + std::to_string(version) + ",") !=
            std::string::npos);
      CHECK(bytes_of(folder + "/center.safetensors") == center);
      CHECK(bytes_of(folder + "/order.bin") == order);
    }
  }
}

TEST_CASE("fake GPUs: auto is a worker for each, where there is a driver") {
  const Runs runs;
  const auto devices = [&](const std::string& count, const std::string& driver) {
    const Answer answer = program(
        "train " + runs.file("c.toml") + " --set workers.devices=auto --set stop.steps=2 --out " +
            runs.file("auto" + count + (driver.empty() ? "" : "driven")),
        "EASGD_FAKE_DEVICES=" + count + " LD_LIBRARY_PATH=" + driver + " ");
    CAPTURE(answer.text);
    REQUIRE(answer.code == 0);
    return answer.text;
  };
  const std::string driver = EASGD_DRIVER_FOLDER;
  CHECK(devices("3", driver).find("\nworkers: cuda:0 cuda:1 cuda:2, batch") != std::string::npos);
  const std::string none = devices("0", driver), undriven = devices("3", "");
  CHECK(none.find("\nworkers: cpu") != std::string::npos);
  CHECK(none.find("\nwarning: workers.devices = \"auto\" takes the CPU: no CUDA device") !=
        std::string::npos);
  CHECK(undriven.find("\nworkers: cpu") != std::string::npos);
  CHECK(undriven.find("takes the CPU") == std::string::npos);
}

TEST_CASE("fake GPUs: devices are listed with their paths, and others are refused") {
  const Answer listed = program("devices", "EASGD_FAKE_DEVICES=2 ");
  CHECK(listed.code == 0);
  CHECK(listed.text.find("cuda:1") != std::string::npos);
  CHECK(listed.text.find("peer") != std::string::npos);
  CHECK(listed.text.find("WRONG") == std::string::npos);
  CHECK(listed.text.find("GB/s of letters to the host") != std::string::npos);
  const Runs runs;
  const Answer refused = program("train " + runs.file("c.toml") + " --set workers.devices=[2]",
                                 "EASGD_FAKE_DEVICES=2 ");
  check_one_line(refused, 4, "cuda:2: no CUDA device of this number; there are 2, from 0");
}

TEST_CASE("fake GPUs: a run that a device's memory does not hold is refused with the numbers") {
  const Runs runs;
  const auto trained = [&](std::uint64_t memory, const std::string& settings) {
    const std::string run = runs.file("run");
    std::filesystem::remove_all(run);
    const Answer answer =
        program("train " + runs.file("c.toml") + " --out " + run + " " + settings,
                "EASGD_FAKE_DEVICES=3 EASGD_FAKE_MEMORY=" + std::to_string(memory) + " ");
    CHECK(std::filesystem::exists(run) == (answer.code == 0));
    return answer;
  };
  // What the plan has for a device: that much does, and a byte less does not.
  const auto planned = [&](const std::string& device, const std::string& settings) {
    const Answer answer =
        program("describe " + runs.file("c.toml") + " " + settings, "EASGD_FAKE_DEVICES=3 ");
    CAPTURE(answer.text);
    const std::string before = "\nmemory of " + device + ": ";
    const std::size_t at = answer.text.find(before);
    REQUIRE(at != std::string::npos);
    return std::uint64_t(std::stod(answer.text.substr(at + before.size())) * (1 << 20));
  };
  for (const std::string settings : {"", "--set workers.devices=[1,0,1]"}) {
    CAPTURE(settings);
    const std::string device = settings.empty() ? "cuda:0" : "cuda:1";
    const std::uint64_t wanted = planned(device, settings);
    const Answer enough = trained(wanted + (1 << 15), settings);
    CAPTURE(enough.text);
    CHECK(enough.code == 0);
    check_one_line(trained(wanted - (1 << 15), settings), 4, device + ": the run takes ");
  }
  const std::uint64_t wanted = planned("cuda:0", "");
  check_one_line(trained(wanted - (1 << 15), ""), 4, " of memory beside what is there, and ");
  // The center's device has no worker, and little to hold.
  CHECK(planned("cuda:2", "--set center.place=cuda:2") < wanted / 10);
  CHECK(trained(wanted + (1 << 20), "--set center.place=cuda:2").code == 0);
  // A set is held where it takes a quarter at most, and is then in the sum.
  const std::string large = "--set data.limit=20000 ";
  const std::uint64_t with = planned("cuda:0", large);
  CHECK(with - planned("cuda:0", large + "--set data.resident=false") ==
        doctest::Approx(20000 * 3 * 32 * 32).epsilon(0.01));
  // No piece of the activations has room.
  check_one_line(trained(300000, "--set workers.batch=200"), 4,
                 "cuda:0: 0.29 MiB of memory are available, and no model of the run could be made: "
                 "activations on cuda:0: ");
}

TEST_CASE("fake GPUs: devices older than the program's code are left out") {
  const Runs runs;
  const std::string
      machine = "EASGD_FAKE_DEVICES=3 EASGD_FAKE_NEW_DEVICES=2 ",
      why = "its compute capability is 7.0, and this program was built for 8.0 and later";
  CHECK(program("devices", machine).text.find("not used: " + why) != std::string::npos);
  const std::string train = "train " + runs.file("c.toml") + " --set stop.steps=2 ";
  check_one_line(program(train + "--set workers.devices=[2]", machine), 4, "cuda:2: " + why);
  const Answer chosen = program(train + "--set workers.devices=auto --out " + runs.file("old"),
                                machine + "LD_LIBRARY_PATH=" EASGD_DRIVER_FOLDER " ");
  CHECK(chosen.code == 0);
  CHECK(chosen.text.find("\nworkers: cuda:0 cuda:1, batch") != std::string::npos);
  CHECK(chosen.text.find("leaves out cuda:2: " + why) != std::string::npos);
  const Answer none = program(train + "--set workers.devices=auto --out " + runs.file("none"),
                              "EASGD_FAKE_DEVICES=2 EASGD_FAKE_NEW_DEVICES=0 "
                              "LD_LIBRARY_PATH=" EASGD_DRIVER_FOLDER " ");
  CHECK(none.text.find("\nworkers: cpu") != std::string::npos);
  CHECK(none.text.find("takes the CPU: cuda:0: " + why + "; cuda:1: " + why) != std::string::npos);
}

TEST_CASE("fake GPUs: beside one, config.toml records the threads of the worker on the CPU") {
  const Runs runs;
  const auto threads = [&](const std::string& name, const std::string& devices) {
    runs.train(name, "--set 'workers.devices=" + devices + "'");
    return easgd::load_config(runs.file(name, "config.toml"), {}).workers.threads;
  };
  const std::int64_t alone = threads("cpu", "cpu");  // all cores
  CHECK(threads("mixed", "[0, cpu]") == alone);
  CHECK(threads("gpu", "[0]") == 1);
}

TEST_CASE("a sweep gives each run a GPU of its own: two at once on two") {
  const Runs runs;
  std::ofstream(runs.file("study.toml"))
      << "base = \"c.toml\"\nseeds = 4\n[set]\nworkers.devices = "
         "[1]\nstop.steps = 300\n";
  const std::string machine = "EASGD_FAKE_DEVICES=2 ";
  const Answer answer =
      program("sweep " + runs.file("study.toml") + " --out " + runs.file("sweep"), machine);
  CAPTURE(answer.text);
  CHECK(answer.code == 0);
  std::size_t at_work = 0, most = 0;
  for (const json& line : lines_of(runs.file("sweep", "manifest.jsonl"))) {
    const std::string state = line.value("state", "");
    at_work += state == "running" ? 1 : 0;
    at_work -= state == "done" ? 1 : 0;
    most = std::max(most, at_work);
    if (state != "done") continue;
    const std::string run = "runs/" + line.at("identity").get<std::string>();
    const json summary = json::parse(bytes_of(runs.file("sweep", run + "/summary.json")));
    CHECK(summary.at("devices") == json{"cuda:0"});  // by its own numbers
  }
  CHECK(most == 2);
  std::ofstream(runs.file("wide.toml"))
      << "base = \"c.toml\"\n[set]\nworkers.devices = [0, 1, 2]\n";
  check_one_line(program("sweep " + runs.file("wide.toml") + " --out " + runs.file("w"), machine),
                 4, "has workers on 3 GPUs; there are 2");
}
