// Does a run on photographs do what every run does, whatever lies in their folder?
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <functional>
#include <sstream>
#include <string>
#include <vector>

#include "nn/safetensors.h"
#include "pictures/jpeg_writer.h"
#include "program.h"
#include "temporary_folder.h"

using namespace easgd;
using namespace easgd::testing;
using nlohmann::json;
namespace fs = std::filesystem;

namespace {

/// Stripes of one of two directions, which are the classes.
std::vector<std::uint8_t> striped(bool across, int number) {
  const int height = 30 + number % 9, width = 34 + number % 7;
  std::vector<std::uint8_t> pixels;
  for (int c = 0; c < 3; ++c)
    for (int y = 0; y < height; ++y)
      for (int x = 0; x < width; ++x) {
        const int at = (across ? y : x) + number;
        pixels.push_back(std::uint8_t(at / 3 % 2 ? 200 - 20 * c : 40 + number % 30));
      }
  return jpeg_of({{3, height, width}, pixels}, 90);
}

void write(const fs::path& path, const std::vector<std::uint8_t>& bytes) {
  fs::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(bytes.data()), std::streamsize(bytes.size()));
}

class Photographs {
 public:
  Photographs() {
    for (const char* half : {"train", "val"})
      for (int i = 0; i < (half[0] == 't' ? 60 : 20); ++i)
        for (const bool across : {false, true})
          write(path() / half / (across ? "across" : "down") / (std::to_string(i) + ".jpg"),
                striped(across, i));
  }
  fs::path path() const { return folder_.path() / "stripes"; }
  std::string operator/(const std::string& name) const { return folder_ / name; }

 private:
  TemporaryFolder folder_;
};

const std::string kNetwork = R"(
[[network.layer]]
type = "conv"
channels = 8
kernel = 5
[[network.layer]]
type = "relu"
[[network.layer]]
type = "avgpool"
kernel = 20
[[network.layer]]
type = "linear"
outputs = 2
[[network.layer]]
type = "softmax_cross_entropy"
)";

/// Of two workers in turns, which ends in the same bytes every time.
std::string config_of(const Photographs& photographs, const std::string& data) {
  const std::string path = photographs / "config.toml";
  std::ofstream(path) << "name = \"stripes\"\n[data]\nset = \"image_folder\"\ndir = \""
                      << photographs.path().string() << "\"\n"
                      << data << "[algorithm]\nname = \"easgd\"\nbeta = 0.9\ntau = 2\n"
                      << "learning_rate = 0.1\n[workers]\nbatch = 16\nthreads = 1\n"
                      << "devices = [\"cpu\", \"cpu\"]\n[center]\norder = \"round_robin\"\n"
                      << "[stop]\nsteps = 60\n"
                      << kNetwork;
  return path;
}

const std::string kResized = "crop = 24\ncrop_kind = \"resized\"\ncrop_area = 0.5\nflip = true\n";

json summary_of(const std::string& run) {
  return json::parse(bytes_of(run + "/summary.json"));
}

}  // namespace

TEST_CASE("photographs are learnt, tested again, gone on with and packed to the same bytes") {
  const Photographs photographs;
  const std::string config = config_of(photographs, kResized);
  const std::string run = photographs / "run", packed = photographs / "packed";
  const Answer trained = program("train " + config + " --out " + run);
  CAPTURE(trained.text);
  REQUIRE(trained.code == 0);
  const json summary = summary_of(run);
  CHECK(summary["test_error"] < 0.1);
  CHECK(summary["bad_images"] == 0);
  CHECK(summary["data_wait_fraction"] > 0);
  const auto metadata = safetensors::read(run + "/center.safetensors").metadata;
  CHECK(metadata.at("easgd.class_names") == R"(["across","down"])");
  const Answer tested = program("evaluate " + run);
  CHECK(tested.text.find(
            fmt::format("test error {:.4f} %", 100 * summary["test_error"].get<double>())) !=
        std::string::npos);
  const std::string center = bytes_of(run + "/center.safetensors");
  const std::string halves = photographs / "halves";
  REQUIRE(program("train " + config + " --pause-at steps=30 --out " + halves).code == 0);
  CHECK(bytes_of(halves + "/center.safetensors") != center);
  REQUIRE(program("train --resume " + halves).code == 0);
  CHECK(bytes_of(halves + "/center.safetensors") == center);
  const std::string replayed = photographs / "replayed";
  REQUIRE(program("train " + run + "/config.toml --set center.order=replay --set center.replay=" +
                  run + "/order.bin --out " + replayed)
              .code == 0);
  CHECK(summary_of(replayed)["test_loss"] == summary["test_loss"]);
  // The same from raw records.
  REQUIRE(program("pack " + photographs.path().string() + " " + packed + " --raw --side 0").code ==
          0);
  const std::string again = photographs / "again";
  const Answer from_pack = program(
      "train " + config + " --set data.set=packed --set data.dir=" + packed + " --out " + again);
  CAPTURE(from_pack.text);
  REQUIRE(from_pack.code == 0);
  CHECK(summary_of(again)["test_loss"] == summary["test_loss"]);
  CHECK(summary_of(again)["train_loss"] == summary["train_loss"]);
}

TEST_CASE("bad photographs are counted and named, or end the run") {
  const Photographs photographs;
  write(photographs.path() / "train" / "down" / "7.jpg", {});
  write(photographs.path() / "val" / "down" / "3.jpg", {'G', 'I', 'F', '8'});
  const std::string config = config_of(photographs, kResized), run = photographs / "run";
  const Answer trained = program("train " + config + " --out " + run);
  CAPTURE(trained.text);
  CHECK(trained.code == 0);
  CHECK(summary_of(run)["bad_images"] == 2);
  CHECK(trained.text.find("2 bad pictures passed over") != std::string::npos);
  int warnings = 0;
  for (const json& event : lines_of(run + "/metrics.jsonl"))
    warnings += event["event"] == "warning" &&
                event["message"].get<std::string>().find("the next picture of its class takes") !=
                    std::string::npos;
  CHECK(warnings == 2);
  const std::string strict = photographs / "strict";
  const Answer stopped =
      program("train " + config + " --set data.on_bad_image=stop --out " + strict);
  CAPTURE(stopped.text);
  CHECK(stopped.code == 3);
  CHECK(stopped.text.find("the run ends") != std::string::npos);
  CHECK(stopped.text.find("easgd: " + photographs.path().string()) != std::string::npos);
  CHECK(summary_of(strict)["status"] == "failed");
}

TEST_CASE("a run on photographs goes on with those that it began with, wherever they lie") {
  const Photographs photographs;
  const std::string run = photographs / "run", config = config_of(photographs, kResized);
  REQUIRE(program("train " + config + " --pause-at steps=10 --out " + run).code == 0);
  const fs::path added = photographs.path() / "train" / "down" / "more.jpg";
  fs::copy_file(added.parent_path() / "7.jpg", added);
  check_one_line(
      program("train --resume " + run), 2,
      "data.dir: the run that is to go on has been trained with 120 training and 40 test "
      "images of 2 classes, and here are 121 training and 40 test images of 2 classes; "
      "--from-center");
  fs::remove(added.parent_path() / "8.jpg");
  check_one_line(program("train --resume " + run), 2,
                 "and here are others, as many; --from-center");
  CHECK(program("train --resume " + run + " --from-center --out " + (photographs / "other")).code ==
        0);
  fs::rename(added, added.parent_path() / "8.jpg");  // whose pixels nobody has looked at
  fs::rename(photographs.path(), photographs / "moved");
  const Answer moved =
      program("train --resume " + run + " --set data.dir=" + (photographs / "moved"));
  CAPTURE(moved.text);
  CHECK(moved.code == 0);
  const Answer other =
      program("train --resume " + run + " --from-center --set algorithm.tau=3 " +
              "--set data.dir=" + (photographs / "moved") + " --out " + (photographs / "another"));
  CAPTURE(other.text);
  CHECK(other.code == 0);
}

TEST_CASE("a run that goes on without one of its classes is told so, and not of its network") {
  const Photographs photographs;
  const std::string run = photographs / "run", config = config_of(photographs, kResized);
  std::string text = bytes_of(config);
  text.replace(text.find("outputs = 2"), 11, "outputs = 3");
  std::ofstream(config) << text;
  for (const char* half : {"train", "val"}) {
    const fs::path classes = photographs.path() / half;
    fs::copy(classes / "down", classes / "third", fs::copy_options::recursive);
  }
  REQUIRE(program("train " + config + " --pause-at steps=10 --out " + run).code == 0);
  for (const char* half : {"train", "val"}) {
    fs::remove_all(photographs.path() / half / "third");
  }
  check_one_line(program("train --resume " + run), 2,
                 "data.dir: the run that is to go on has been trained with 180 training and 60 "
                 "test images of 3 classes, and here are 120 training and 40 test images of 2");
}

TEST_CASE("photographs that vanish or shrink in mid-run end it in a few lines, with a checkpoint") {
  const Photographs photographs;
  const std::string packed = photographs / "packed", folder = photographs.path().string();
  REQUIRE(program("pack " + folder + " " + packed + " --raw --side 0").code == 0);
  const auto check_end = [&](const std::string& run, const std::vector<std::string>& data,
                             const std::function<void()>& damage) {
    std::vector<std::string> arguments = {config_of(photographs, kResized), "--out", run, "--set",
                                          "stop.steps=1000000"};
    for (const std::string& value : data) arguments.insert(arguments.end(), {"--set", value});
    const pid_t child = start_training(arguments, photographs / "log");
    wait_for_file(run + "/center.safetensors");
    sleep_ms(300);
    damage();
    CHECK(code_of(child) == 3);
    const std::string log = bytes_of(photographs / "log");
    CAPTURE(log);
    CHECK(log.find("it cannot be read any more, nor can any other of its class") != log.npos);
    CHECK(std::ranges::count(log, '\n') < 30);
    CHECK(summary_of(run)["status"] == "failed");
    CHECK(fs::directory_iterator(run + "/checkpoints") != fs::directory_iterator());
  };
  check_end(photographs / "shrunk", {"data.set=packed", "data.dir=" + packed},
            [&] { fs::resize_file(packed + "/train-0000.bin", 1000); });
  check_end(photographs / "gone", {}, [&] { fs::remove_all(folder + "/train/across"); });
}

TEST_CASE("what a folder of photographs lacks is said in a line, and what a crop lacks") {
  const Photographs photographs;
  const auto fails = [&](const std::string& data, const std::string& sets, int code,
                         const std::string& part) {
    check_one_line(
        program("train " + config_of(photographs, data) + " --out " + (photographs / "run") + sets),
        code, part);
  };
  fails("", "", 2, "data.crop: the images have different sizes");
  fails("crop = 28\nresize = 20\n", "", 2, "28 is larger than data.resize = 20");
  fails("crop = 28\npad = 4\ncrop_kind = \"resized\"\n", "", 2, "data.pad: is of windows");
  fails("crop = 28\ncrop_area = 0.5\n", "", 2, "data.crop_area: is of parts that are resized");
  fails(kResized, " --set data.memory=1 --set workers.batch=64", 2,
        "data.memory: 1 MiB do not hold");
  fails(kResized, " --set data.dir=" + (photographs / "nowhere"), 3, "no such folder");
  fails(kResized, " --set data.dir=" + (photographs / ""), 3, "expected train/ and val/ in it");
  fails(kResized, " --set data.set=packed --set data.holdout=0.5", 2,
        "packed has no holdout, which is a key of image_folder");
  check_one_line(program("pack " + (photographs / "") + " " + (photographs / "to")), 3,
                 "expected train/ and val/ in it");
  check_one_line(program("pack"), 2, "expected two folders, SOURCE and TO");
  check_one_line(program("pack " + (photographs / "stripes ") + (photographs / "stripes")), 2,
                 "expected two folders, found");
  check_one_line(program("pack --check " + (photographs / "to") + " --raw"), 2,
                 "do not go together");
}

TEST_CASE(
    "what a network says of pictures is what its test counted, and every bad one has a line") {
  const Photographs photographs;
  const std::string config = config_of(photographs, kResized), run = photographs / "run";
  REQUIRE(program("train " + config + " --set stop.steps=12 --out " + run).code == 0);
  const json summary = summary_of(run);
  const fs::path val = photographs.path() / "val";
  const auto predicted = [&](const std::string& arguments) {
    const Answer answer = program("predict " + arguments + " --json");
    CAPTURE(answer.text);
    REQUIRE(answer.code == 0);
    std::vector<json> lines;
    std::istringstream text(answer.text);
    for (std::string line; std::getline(text, line);) lines.push_back(json::parse(line));
    return lines;
  };
  const std::vector<json> lines = predicted(run + " " + val.string());
  REQUIRE(lines.size() == 40);
  double loss = 0;
  int wrong = 0;
  std::string before;
  for (const json& line : lines) {
    const std::string picture = line["picture"];
    CHECK(before < picture);
    before = picture;
    const std::string truth = fs::path(picture).parent_path().filename();
    const json& predictions = line["predictions"];
    REQUIRE(predictions.size() == 2);
    const double first = predictions[0]["probability"], second = predictions[1]["probability"];
    CHECK(first >= second);
    CHECK(std::abs(first + second - 1) < 1e-9);
    wrong += predictions[0]["name"] != truth;
    loss -= std::log(predictions[0]["name"] == truth ? first : second) / 40;
    for (const json& prediction : predictions)
      CHECK(prediction["name"] == (prediction["class"] == 0 ? "across" : "down"));
  }
  CHECK(wrong == std::lround(40 * summary["test_error"].get<double>()));
  CHECK(std::abs(loss - summary["test_loss"].get<double>()) < 1e-5);

  // A file says itself what it was trained on, wherever that is now.
  const std::string picture = (val / "down" / "3.jpg").string();
  const std::vector<json> one = predicted(run + " " + picture);
  fs::rename(photographs.path(), photographs / "elsewhere");
  const std::string moved = photographs / "elsewhere/val/down/3.jpg";
  const std::vector<json> from_file = predicted(run + "/center.safetensors " + moved);
  CHECK(from_file[0]["predictions"] == one[0]["predictions"]);
  fs::rename(photographs / "elsewhere", photographs.path());

  write(val / "down" / "3.jpg", {'G', 'I', 'F', '8'});
  const Answer spoilt = program("predict " + run + " " + picture + " --top 1 nowhere.png " +
                                (val / "down" / "4.jpg").string());
  CAPTURE(spoilt.text);
  CHECK(spoilt.code == 3);
  CHECK(std::ranges::count(spoilt.text, '\n') == 4);
  CHECK(spoilt.text.find("3.jpg: expected a JPEG or PNG picture, found") != std::string::npos);
  CHECK(spoilt.text.find("nowhere.png: cannot be read") != std::string::npos);
  CHECK(spoilt.text.find("4.jpg: ") != std::string::npos);
  CHECK(spoilt.last_line() == "easgd: nothing can be said of 2 of 3 pictures");
  // The same pictures, of classes with other names.
  fs::rename(photographs.path(), photographs / "renamed");
  for (const char* half : {"train", "val"})
    fs::rename(photographs / ("renamed/" + std::string(half) + "/down"),
               photographs / ("renamed/" + std::string(half) + "/along"));
  check_one_line(program("evaluate " + run + " --set data.dir=" + (photographs / "renamed")), 3,
                 "number 1 \"down\"; found \"along\"");
  fs::create_directories(photographs / "empty");
  check_one_line(program("predict " + run + " " + (photographs / "empty")), 3, "no pictures");
  const Answer some = program("predict " + run + " " + (photographs / "empty") + " " +
                              (photographs / "renamed/val/across/4.jpg"));
  CHECK(some.code == 3);
  CHECK(some.text.find("4.jpg: ") != std::string::npos);
  CHECK(some.last_line() == "easgd: nothing can be said of 1 of 2 pictures and folders");
  check_one_line(program("predict " + (photographs / "nowhere") + " " + picture), 3, "not found");
}
