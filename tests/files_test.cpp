// Files that the program reads and writes: what it records it can read, and what it cannot read it
// says.
#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <nlohmann/json.hpp>
#include <vector>

#include "program.h"
#include "temporary_folder.h"

using namespace easgd::testing;
using nlohmann::json;
namespace fs = std::filesystem;

namespace {

using Folder = TemporaryFolder;

/// 100 training and 50 test images of 4x4 pixels in the files of MNIST. `pixel(image, place)`.
void write_set(const std::string& folder, const std::function<int(int, int)>& pixel) {
  fs::create_directories(folder);
  for (const auto& [name, count] : {std::pair{"train", 100}, {"t10k", 50}}) {
    std::string images("\0\0\x08\x03\0\0\0_\0\0\0\x04\0\0\0\x04", 16),
        labels("\0\0\x08\x01\0\0\0_", 8);
    images[7] = labels[7] = char(count);
    for (int i = 0; i < count; ++i) {
      labels += char(i % 10);
      for (int k = 0; k < 16; ++k) images += char(pixel(i, k));
    }
    std::ofstream(folder + "/" + name + "-images-idx3-ubyte", std::ios::binary) << images;
    std::ofstream(folder + "/" + name + "-labels-idx1-ubyte", std::ios::binary) << labels;
  }
}

int some_pixel(int image, int place) {
  return (image % 10 == place ? 200 : 0) + image % 7;
}

/// A run of a moment; further arguments and --out follow.
const std::string kTrainDigits =
    "train " + fs::absolute("configs/mnist_logistic.toml").string() +
    " --set workers.batch=10 --set workers.devices=cpu --set stop.epochs=2"
    " --set algorithm.tau=2 ";

/// The same safetensors file with changed data: a network of the file's own tensors.
void change_floats(const std::string& path, const std::function<void(float*)>& change) {
  std::string bytes = bytes_of(path);
  std::uint64_t length = 0;
  std::memcpy(&length, bytes.data(), sizeof length);
  std::vector<float> values((bytes.size() - 8 - length) / sizeof(float));
  std::memcpy(values.data(), bytes.data() + 8 + length, values.size() * sizeof(float));
  change(values.data());
  std::memcpy(bytes.data() + 8 + length, values.data(), values.size() * sizeof(float));
  std::ofstream(path, std::ios::binary) << bytes;
}

}  // namespace

TEST_CASE("data in a folder whose name is no UTF-8 train, and what is written can be read") {
  const Folder folder;
  const std::string set = folder / "data\xe9";
  write_set(set, some_pixel);
  const std::string found = "EASGD_DATA='" + set + "' ";
  for (const std::string& given : {std::string(), "--set 'data.dir=" + set + "' "}) {
    CAPTURE(given);
    const std::string run = folder / ("run" + std::to_string(given.size()));
    const Answer answer = program(kTrainDigits + given + "--out " + run, found);
    CAPTURE(answer.text);
    REQUIRE(answer.code == 0);
    CHECK(answer.text.find("warning: " + set +
                           ": is no UTF-8, so that config.toml leaves data.dir "
                           "out") != std::string::npos);
    CHECK(bytes_of(run + "/config.toml").find("dir = \"\"\n") != std::string::npos);
    CHECK(program("evaluate " + run, found).code == 0);
    CHECK(program("train " + run + "/config.toml --out " + run + "-again", found).code == 0);
    CHECK(bytes_of(run + "-again/config.toml") == bytes_of(run + "/config.toml"));
  }
  // Nothing else can stand for these.
  fs::copy(folder / "run0/center.safetensors", set + "/center.safetensors");
  check_one_line(program(kTrainDigits + "--set 'network.init=" + set +
                         "/center.safetensors' --out " + folder / "none"),
                 2, "center.safetensors: is no UTF-8, and config.toml can hold nothing else");
  CHECK_FALSE(fs::exists(folder / "none"));
}

TEST_CASE("evaluate refuses a file with tensors of another network") {
  const Folder folder;
  write_set(folder / "set", some_pixel);
  const std::string conv = "[[layer]]\ntype = \"conv\"\nname = \"c\"\nchannels = 2\nkernel = 3\n";
  const std::string end =
      "[[layer]]\ntype = \"linear\"\nname = \"l\"\noutputs = 10\n"
      "[[layer]]\ntype = \"softmax_cross_entropy\"\n";
  std::ofstream(folder / "bn.toml")
      << conv + "[[layer]]\ntype = \"batchnorm\"\nname = \"b\"\n" + end;
  std::ofstream(folder / "plain.toml") << conv + end;
  const std::string data = " --set data.dir=" + folder / "set";
  REQUIRE(program(kTrainDigits + data + " --set network.file=" + folder / "bn.toml" + " --out " +
                  folder / "bn")
              .code == 0);
  const std::string other = " --config " + fs::absolute("configs/mnist_logistic.toml").string() +
                            data + " --set network.file=" + folder / "plain.toml";
  check_one_line(program("evaluate " + folder / "bn/center.safetensors" + other), 3,
                 "center.safetensors: holds 4 tensors that the network does not have: b.bias, "
                 "b.running_mean, b.running_var, ...; give the configuration");
  check_one_line(program(kTrainDigits + data + " --set network.file=" + folder / "plain.toml" +
                         " --set network.init=" + folder / "bn/center.safetensors" + " --out " +
                         folder / "none"),
                 3, "holds 4 tensors that the network does not have");
}

TEST_CASE("evaluate tells a center that is not finite, by a line and its exit code") {
  const Folder folder;
  write_set(folder / "set", some_pixel);
  const std::string run = folder / "run";
  REQUIRE(program(kTrainDigits + "--set data.dir=" + folder / "set" + " --out " + run).code == 0);
  CHECK(program("evaluate " + run).code == 0);
  change_floats(run + "/center.safetensors", [](float* values) {
    values[3] = NAN;
    values[4] = -INFINITY;
  });
  const Answer answer = program("evaluate " + run);
  CAPTURE(answer.text);
  CHECK(answer.code == 3);
  CHECK(answer.text.find("50 test images, test loss not finite, test error ") != std::string::npos);
  CHECK(answer.last_line() ==
        "easgd: " + run +
            "/center.safetensors: linear.weight holds 2 values of "
            "160 that are not finite: the run diverged (a lower learning rate?)");
}

TEST_CASE("a file that cannot be read is told with the reason") {
  const Folder folder;
  write_set(folder / "set", some_pixel);
  const std::string train = kTrainDigits + "--set data.dir=" + folder / "set" + " ";
  REQUIRE(program(train + "--out " + folder / "run").code == 0);
  fs::create_symlink("loop", folder / "loop");
  const std::string many = "Too many levels of symbolic links", loop = folder / "loop",
                    below = folder / "run/config.toml/x";
  check_one_line(program("train " + loop), 2, "loop: cannot be opened: " + many);
  check_one_line(program("evaluate " + loop), 3, "loop: cannot be examined: " + many);
  check_one_line(program(train + "--set network.file=" + loop), 2,
                 "network.file: " + loop + " cannot be opened: " + many);
  check_one_line(program(train + "--set network.init=" + loop), 3,
                 "loop: cannot be opened: " + many);
  check_one_line(program(train + "--set center.order=replay --set center.replay=" + loop), 3,
                 "loop: cannot be opened: " + many + "; expected an order.bin");
  check_one_line(program("train " + below), 2, "cannot be opened: Not a directory");
  check_one_line(program("evaluate " + below), 3, "cannot be examined: Not a directory");
  check_one_line(program(train + "--set center.order=replay --set center.replay=" + folder / "run"),
                 3, "is a folder; expected an order.bin");
  fs::remove(folder / "run/config.toml");
  fs::create_symlink("nowhere", folder / "run/config.toml");
  check_one_line(program("evaluate " + folder / "run"), 2,
                 "config.toml: cannot be opened: No such");
}

TEST_CASE("another user's files are told with the reason") {
  if (geteuid() != 0 || std::system("setpriv --version > /dev/null 2>&1") != 0) {
    MESSAGE("not root, or no setpriv: skipped");
    return;
  }
  const Folder folder;
  const std::string nobody = "setpriv --reuid=65534 --regid=65534 --clear-groups ";
  chmod(folder.string().c_str(), 0755);
  fs::create_directory(folder / "c");
  std::ofstream(folder / "c/net.toml") << "";
  std::ofstream(folder / "a.toml") << "[network]\nfile = \"c/net.toml\"\n[stop]\nsteps = 1\n";
  chmod((folder / "c").c_str(), 0700);
  if (program("--version", nobody).code != 0) {
    MESSAGE("another user cannot run the program: skipped");
    return;
  }
  check_one_line(
      program("train " + folder / "a.toml", nobody), 2,
      "a.toml:2: network.file: " + folder / "c/net.toml" + " cannot be opened: Permission denied");
  check_one_line(program("evaluate " + folder / "c/net.toml", nobody), 3,
                 "net.toml: cannot be examined: Permission denied; expected a run folder");
  check_one_line(program("train " + folder / "c/net.toml", nobody), 2,
                 "net.toml: cannot be opened: Permission denied; expected a TOML file");
}

TEST_CASE("a working folder that is gone costs a line, not a bug") {
  const Folder folder;
  write_set(folder / "set", some_pixel);
  fs::create_directory(folder / "gone");
  const std::string gone = "cd " + folder / "gone" + "; rmdir " + folder / "gone" + "; ";
  check_one_line(program(kTrainDigits + "--set data.dir=set --out " + folder / "a", gone), 3,
                 "not found");
  fs::create_directory(folder / "gone");
  CHECK(program(kTrainDigits + "--set data.dir=" + folder / "set" + " --out " + folder / "b", gone)
            .code == 0);
  fs::create_directory(folder / "gone");
  check_one_line(program("evaluate x", gone), 3, "x: not found");
}

TEST_CASE("a pipe or a device in the place of a file is told, and not waited for") {
  const Folder folder;
  const std::string pipe = folder / "pipe", run = folder / "run";
  const std::string digits = "--set data.dir=" + folder / "digits" + " ";
  write_set(folder / "digits", some_pixel);
  REQUIRE(mkfifo(pipe.c_str(), 0666) == 0);
  for (const std::string& file : {pipe, std::string("/dev/zero")}) {
    CAPTURE(file);
    const std::string out = " --out " + folder / "other";
    check_one_line(
        program(kTrainDigits + digits + "--set network.init=" + file + out, "timeout 60 "), 3,
        file + ": is no regular file");
    check_one_line(program(kTrainDigits + digits +
                               "--set center.order=replay --set center.replay=" + file + out,
                           "timeout 60 "),
                   3, file + ": is no regular file");
  }
  CHECK(program(kTrainDigits + digits + "--out " + run).code == 0);
  fs::remove(run + "/config.toml");
  REQUIRE(mkfifo((run + "/config.toml").c_str(), 0666) == 0);
  const std::string told = "config.toml: is no regular file";
  check_one_line(program("train --resume " + run, "timeout 60 "), 2, told);
  check_one_line(program("evaluate " + run, "timeout 60 "), 2, told);
}
