// Safetensors files as the world writes them: types, order, wrappers, damage.
#include "nn/safetensors.h"

#include <doctest/doctest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <fstream>
#include <limits>

#include "base/error.h"
#include "base/write_file.h"
#include "network_spec.h"
#include "temporary_folder.h"

using namespace easgd;

namespace {

using Folder = testing::TemporaryFolder;

/// A file of this header and these bytes behind it.
std::string file_of(const Folder& folder, const std::string& header, const std::string& data) {
  const std::string path = folder / "a.safetensors";
  std::ofstream stream(path, std::ios::binary);
  const std::uint64_t length = header.size();
  stream.write(reinterpret_cast<const char*>(&length), 8);
  stream << header << data;
  return path;
}

std::string entry(const std::string& name, const std::string& dtype, const std::string& shape,
                  std::size_t begin, std::size_t end) {
  return '"' + name + R"(":{"dtype":")" + dtype + R"(","shape":)" + shape + R"(,"data_offsets":[)" +
         std::to_string(begin) + "," + std::to_string(end) + "]}";
}

/// A file with one tensor "x" of `count` values.
std::string one_tensor(const Folder& folder, const std::string& dtype, std::size_t count,
                       const std::string& bytes) {
  const std::string shape = "[" + std::to_string(count) + "]";
  return file_of(folder, "{" + entry("x", dtype, shape, 0, bytes.size()) + "}", bytes);
}

template <class T>
std::string bytes_of(const std::vector<T>& values) {
  std::string bytes(values.size() * sizeof(T), '\0');
  std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

template <class T>
std::vector<float> read_as(const std::string& dtype, const std::vector<T>& stored) {
  const Folder folder;
  const auto path = one_tensor(folder, dtype, stored.size(), bytes_of(stored));
  return safetensors::read(path).tensors.at("x").values;
}

bool same(float a, float b) {
  return std::bit_cast<std::uint32_t>(a) == std::bit_cast<std::uint32_t>(b);
}

/// A linear layer's weight [1][1], then its bias [1].
const std::string kWeight = entry("linear1.weight", "F32", "[1,1]", 0, 4),
                  kBias = entry("linear1.bias", "F32", "[1]", 4, 8);
const std::string kData = bytes_of(std::vector<float>{3, 4});

Network small_network() {
  return testing::make_network({1, 1, 1}, 1, "linear outputs=1");
}

/// The state of a network of one linear layer as a file gives it.
std::vector<float> loaded(const std::string& header, const std::string& data) {
  const Folder folder;
  const auto path = file_of(folder, header, data);
  const Network network = small_network();
  std::vector<float> state(2, 0);
  safetensors::load(safetensors::read(path), path, network, state);
  return state;
}

std::string complaint(const std::string& header, const std::string& data) {
  try {
    loaded(header, data);
  } catch (const DataError& e) {
    const std::string line = e.what();
    CHECK(line.find('\n') == line.npos);
    return line.substr(std::min(line.size(), line.find("a.safetensors: ")));
  }
  return "none";
}

const std::vector<float> kBoth = {3, 4};

}  // namespace

TEST_CASE("half precision is read exactly, all 65536 of it") {
  // As NumPy gives them.
  const std::vector<std::pair<std::uint16_t, double>> known = {{0x0001, 5.9604644775390625e-08},
                                                               {0x03ff, 6.097555160522461e-05},
                                                               {0x0400, 6.103515625e-05},
                                                               {0x3555, 0.333251953125},
                                                               {0x3c01, 1.0009765625},
                                                               {0x7bff, 65504},
                                                               {0xc000, -2},
                                                               {0x8001, -5.9604644775390625e-08},
                                                               {0x7c00, INFINITY},
                                                               {0xfc00, -INFINITY}};
  for (const auto& [bits, value] : known) {
    CAPTURE(bits);
    CHECK(same(read_as<std::uint16_t>("F16", {bits})[0], float(value)));
  }
  std::vector<std::uint16_t> all(65536);
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = std::uint16_t(i);
  const std::vector<float> values = read_as("F16", all);
  std::size_t wrong = 0;
  for (std::size_t i = 0; i < all.size(); ++i) {
    const int exponent = int(i >> 10 & 31), fraction = int(i & 1023);
    double value =
        exponent == 0 ? std::ldexp(fraction, -24) : std::ldexp(1024 + fraction, exponent - 25);
    if (exponent == 31) value = fraction ? NAN : INFINITY;
    value = std::copysign(value, i & 0x8000 ? -1.0 : 1.0);
    wrong += std::isnan(value) ? !std::isnan(values[i]) : !same(values[i], float(value));
  }
  CHECK(wrong == 0);
}

TEST_CASE("bfloat16 is read exactly") {
  const std::vector<float> values = read_as<std::uint16_t>(
      "BF16", {0x3f80, 0x4049, 0x0001, 0x8000, 0x7f7f, 0x7f80, 0xff80, 0x7fc0});
  const std::vector<double> known = {
      1, 3.140625, 9.183549615799121e-41, -0.0, 3.3895313892515355e38, INFINITY, -INFINITY};
  for (std::size_t i = 0; i < known.size(); ++i) CHECK(same(values[i], float(known[i])));
  CHECK(std::isnan(values[7]));
}

TEST_CASE("double is rounded to the nearest float, and what no float can hold is told") {
  const double largest = std::numeric_limits<float>::max();
  const std::vector<float> values =
      read_as<double>("F64", {0.1, 1 + 0x1p-24, 1 + 0x1.8p-24, 1 + 3 * 0x1p-24, largest + 0x1.fp102,
                              0x1p-149, 0x1p-150, 0x1.8p-150, -0.0, INFINITY, NAN});
  const std::vector<float> known = {0.1f,      1, 1.00000012f, 1.00000024f, float(largest),
                                    0x1p-149f, 0, 0x1p-149f,   -0.0f,       INFINITY};
  for (std::size_t i = 0; i < known.size(); ++i) {
    CAPTURE(i);
    CHECK(same(values[i], known[i]));
  }
  CHECK(std::isnan(values[10]));
  CHECK(
      complaint("{" + entry("linear1.weight", "F64", "[1,1]", 0, 8) + "," +
                    entry("linear1.bias", "F32", "[1]", 8, 12) + "}",
                bytes_of(std::vector<double>{1e300}) + std::string(4, '\0'))
          .starts_with("a.safetensors: linear1.weight: holds 1e+300, which is beyond the range of "
                       "float32"));
}

TEST_CASE("tensors are found by name, in any order, type by type, under PyTorch's wrappers") {
  CHECK(loaded("{" + kWeight + "," + kBias + "}", kData) == kBoth);
  CHECK(loaded("{" + kBias + "," + kWeight + "}      ", kData) == kBoth);
  CHECK(loaded(R"({"__metadata__":{"format":"pt","steps":3,"list":[1]},)" + kBias + "," + kWeight +
                   "}",
               kData) == kBoth);
  CHECK(loaded(R"({"__metadata__":null,)" + kBias + "," + kWeight + "}", kData) == kBoth);
  CHECK(loaded("{" + entry("linear1.weight", "F16", "[1,1]", 0, 2) + "," +
                   entry("linear1.bias", "F64", "[1]", 2, 10) + "}",
               bytes_of(std::vector<std::uint16_t>{0x4200}) + bytes_of(std::vector<double>{4})) ==
        kBoth);
  for (const std::string wrapper : {"module.", "_orig_mod.", "module._orig_mod."}) {
    CHECK(loaded("{" + entry(wrapper + "linear1.weight", "F32", "[1,1]", 0, 4) + "," +
                     entry(wrapper + "linear1.bias", "F32", "[1]", 4, 8) + "," +
                     entry(wrapper + "bn.num_batches_tracked", "I64", "[]", 8, 16) + "}",
                 kData + std::string(8, '\1')) == kBoth);
  }
  CHECK(complaint("{" + entry("module.linear1.weight", "F32", "[1,1]", 0, 4) + "," + kBias + "}",
                  kData)
            .starts_with("a.safetensors: has no tensor \"linear1.weight\" of 1x1"));
}

TEST_CASE("tensors that the network does not take are told, but PyTorch's counts of batches") {
  const std::string both = "{" + kWeight + "," + kBias + ",";
  CHECK(loaded(both + entry("bn.num_batches_tracked", "I64", "[]", 8, 16) + "}",
               kData + std::string(8, '\0')) == kBoth);
  CHECK(
      complaint(both + entry("bn.weight", "F32", "[1]", 8, 12) + "}", kData + "1234")
          .starts_with("a.safetensors: holds 1 tensor that the network does not have: bn.weight"));
  CHECK(complaint(both + entry("empty", "F32", "[0,3]", 8, 8) + "}", kData)
            .starts_with("a.safetensors: holds 1 tensor that the network does not have: empty"));
  std::string many = both;
  for (const char* name : {"d", "c", "b", "a"}) many += entry(name, "U8", "[0]", 8, 8) + ",";
  many.back() = '}';
  CHECK(complaint(many, kData)
            .starts_with("a.safetensors: holds 4 tensors that the network does not have: a, b, c, "
                         "...; give the"));
}

TEST_CASE("of many misfits the first is told, with how many there are and what is left over") {
  CHECK(complaint("{" + entry("features.0.weight", "F32", "[1,1]", 0, 4) + "," +
                      entry("linear1.bias", "F32", "[1,1]", 4, 8) + "}",
                  kData) ==
        "a.safetensors: has no tensor \"linear1.weight\" of 1x1; and 1 more of the network's 2 "
        "tensors is missing or does not fit; holds 1 tensor that the network does not have: "
        "features.0.weight; give the configuration of the network that it is of");
}

TEST_CASE("tensors of a wrong type or shape are told") {
  CHECK(complaint("{" + kWeight + "," + entry("linear1.bias", "I64", "[1]", 4, 12) + "}",
                  kData + "1234")
            .starts_with("a.safetensors: linear1.bias: expected dtype F32, F16, BF16 or F64, found "
                         "I64"));
  CHECK(complaint("{" + kWeight + "," + entry("linear1.bias", "F32", "[]", 4, 8) + "}", kData)
            .starts_with("a.safetensors: linear1.bias: expected 1, found one value without"));
  const Folder folder;
  const auto path =
      file_of(folder, "{" + entry("linear1.weight", "U8", "[3,2]", 0, 6) + "}", "123456");
  safetensors::File file = safetensors::read(path);
  file.tensors.at("linear1.weight").dtype = "F32";
  std::vector<float> state(8);
  const Network network = testing::make_network({3, 1, 1}, 2, "linear outputs=2");
  CHECK_THROWS_WITH_AS(safetensors::load(file, path, network, state),
                       doctest::Contains("expected 2x3, found 3x2; the order is PyTorch's"),
                       DataError);
}

TEST_CASE("a safetensors file that is not as the format has it is told with the tensor") {
  const auto told = [](const std::string& bias, const std::string& data, const std::string& part) {
    const std::string line = complaint("{" + kWeight + "," + bias + "}", data);
    CAPTURE(line);
    CAPTURE(part);
    CHECK(line.find("linear1.bias: " + part) != line.npos);
  };
  const auto bias = [](const std::string& shape, const std::string& offsets) {
    return R"("linear1.bias":{"dtype":"F32","shape":)" + shape + R"(,"data_offsets":)" + offsets +
           "}";
  };
  told(bias("[1]", "[2,6]"), kData, "its bytes 2..6 overlap those of linear1.weight");
  told(bias("[1]", "[6,10]"), kData + "12", "its bytes 6..10 leave a gap behind linear1.weight");
  told(bias("[1]", "[4,9]"), kData + "1", "bytes 4..9 do not hold a tensor of 1 (F32)");
  told(bias("[1]", "[8,4]"), kData, "bytes 8..4 do not hold");
  told(bias("[1]", "[4,18446744073709551615]"), kData, "the file is cut short");
  told(bias("[4611686018427387904,4]", "[4,4]"), kData, "bytes 4..4 do not hold");
  told(bias("[9223372036854775808]", "[4,8]"), kData, "shape: no tensor has");
  told(bias("[-1]", "[4,8]"), kData, "shape: expected whole numbers from 0 up, found -1");
  told(bias("[1.0]", "[4,8]"), kData, "shape: expected whole numbers from 0 up, found 1.0");
  told(bias("1", "[4,8]"), kData, "the header is damaged: expected an entry with a list \"shape\"");
  told(bias("[1]", "[4]"), kData, "data_offsets: expected two");
  told(bias("[1]", "[-4,8]"), kData, "data_offsets: expected whole numbers");
  told(R"("linear1.bias":7)", kData,
       "the header is damaged: expected an entry with a text \"dtype\"");
  CHECK(complaint("{" + kWeight + "," + kBias + "," + kWeight + "}", kData)
            .find("the name \"linear1.weight\" stands twice") != std::string::npos);
  CHECK(complaint("{" + kWeight + "," + kBias + "}", kData + "more")
            .starts_with("a.safetensors: data: 4 bytes follow the last tensor"));
}

TEST_CASE("a variance below zero is told") {
  const Folder folder;
  const Network network = testing::make_network({1, 1, 1}, 1, "batchnorm; linear outputs=1");
  std::vector<float> state(network.state_count(), 1);
  state.back() = -0.5f;
  write_file(folder / "b", [&](std::ostream& out) { safetensors::write(out, network, state, {}); });
  CHECK_THROWS_WITH_AS(safetensors::load(safetensors::read(folder / "b"), "b", network, state),
                       doctest::Contains("batchnorm1.running_var: holds -0.5; expected variances"),
                       DataError);
}

TEST_CASE("names of any bytes and length are shown in one line") {
  const std::string data = "12345", name(100'000, 'n');
  CHECK(complaint("{" + entry("a\\nb\\u0000c", "F16", "[3]", 0, 5) + "}", data)
            .starts_with("a.safetensors: a b c: bytes 0..5 do not hold a tensor of 3 (F16)"));
  CHECK(complaint("{" + entry(name, "F16", "[3]", 0, 5) + "}", data).size() < 300);
  CHECK(complaint("{" + entry("a", name, "[3]", 0, 5) + "}", data).size() < 300);
}

TEST_CASE("a damaged header of a safetensors file is told with its place") {
  const std::string line = complaint(R"({"linear1.bias":{"dtype":"F32",,"shape":[1]}})", "");
  CHECK(line.find("the header is damaged: expected JSON") != line.npos);
  CHECK(line.find("at byte 40") != line.npos);
  CHECK(complaint("{\"\xff\":3}", "").find("the header is damaged: expected JSON") != line.npos);
  CHECK(complaint(std::string(50000, '['), "").find("the header is damaged") != line.npos);
}

TEST_CASE("what is no safetensors file is named for what it is, and no more is read of it") {
  const Folder folder;
  const std::string path = folder / "a.pt";
  const auto told = [&path](const std::string& bytes, const std::string& part) {
    std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
    CHECK_THROWS_WITH_AS(safetensors::read(path), doctest::Contains(part.c_str()), DataError);
  };
  told("PK\x03\x04" + std::string(100, 'x'), "a.pt: is a zip archive (as torch.save");
  told("\x80\x02" + std::string(100, 'x'), "a.pt: is a Python pickle");
  told("", "a.pt: is empty; expected a safetensors file");
  told("short", "is not a safetensors file, or is cut short");
  told(std::string("\xff\xff\xff\xff\xff\xff\xff\x7f{}", 10), "is not a safetensors file");
  std::filesystem::resize_file(path, std::uintmax_t(1) << 40);  // more than any memory
  CHECK_THROWS_AS(safetensors::read(path), DataError);
  CHECK_THROWS_WITH_AS(safetensors::read("/dev/zero"), doctest::Contains("is no regular file"),
                       DataError);
  CHECK_THROWS_WITH_AS(safetensors::read(folder.path()), doctest::Contains("is a folder"),
                       DataError);
  CHECK_THROWS_WITH_AS(safetensors::read(path + "/x"), doctest::Contains("Not a directory"),
                       DataError);
}

TEST_CASE("metadata that is no UTF-8 is written as what is") {
  const Folder folder;
  const Network network = small_network();
  write_file(folder / "b", [&](std::ostream& out) {
    safetensors::write(out, network, kBoth, {{"where", "caf\xe9"}});
  });
  CHECK(safetensors::read(folder / "b").metadata.at("where") == "caf\xef\xbf\xbd");
}

TEST_CASE("values that are not finite are told with their tensor") {
  const Network network = small_network();
  const float nan = NAN;
  CHECK(safetensors::not_finite(network, std::vector<float>{1, 2}).empty());
  CHECK(safetensors::not_finite(network, std::vector<float>{1, nan}) ==
        "linear1.bias holds 1 values of 1 that are not finite");
  CHECK(safetensors::not_finite(network, std::vector<float>{INFINITY, nan}) ==
        "linear1.weight holds 1 values of 1 that are not finite, and so does 1 more tensor");
}
