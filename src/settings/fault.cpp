#include "settings/fault.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <sstream>

#include "base/error.h"

namespace easgd {
namespace {

using Kind = Fault::Kind;

/// `#` stands for a number.
struct Phrase {
  const char* words;
  Kind kind;
};
constexpr Phrase kPhrases[] = {
    {"worker # throws", Kind::throws},
    {"worker # runs out of memory", Kind::runs_out_of_memory},
    {"worker # loses its device", Kind::loses_its_device},
    {"worker # loses its data", Kind::loses_its_data},
    {"worker # stalls # s", Kind::stalls},
    {"worker # sends NaN", Kind::sends_nan},
    {"worker # multiplies its loss by #", Kind::multiplies_its_loss},
    {"the disk is full", Kind::disk_is_full},
    {"the folder is read-only", Kind::folder_is_read_only},
};
constexpr const char *kAt = "at {} #", *kFromTo = "from {} # to #", *kEvery = "every # {}s";

std::vector<std::string> words_of(const std::string& text) {
  std::istringstream stream(text);
  std::vector<std::string> words;
  for (std::string word; stream >> word;) words.push_back(word);
  return words;
}

std::optional<double> number_in(const std::string& word) {
  double number = 0;
  const char* end = word.data() + word.size();
  const auto [last, error] = std::from_chars(word.data(), end, number);
  if (error != std::errc() || last != end || !(number >= 0 && number <= 1e15)) return std::nullopt;
  return number;
}

/// The numbers of a sentence that is as the phrase says.
std::optional<std::vector<double>> match(const std::string& sentence, const std::string& phrase) {
  const std::vector<std::string> found = words_of(sentence), expected = words_of(phrase);
  if (found.size() != expected.size()) return std::nullopt;
  std::vector<double> numbers;
  for (std::size_t i = 0; i < found.size(); ++i) {
    if (expected[i] != "#") {
      if (found[i] != expected[i]) return std::nullopt;
    } else if (const auto number = number_in(found[i])) {
      numbers.push_back(*number);
    } else {
      return std::nullopt;
    }
  }
  return numbers;
}

const char* unit_of(Kind kind) {
  return is_of_folder(kind) ? "version" : "step";
}

/// What `numbers` of a phrase say, but for those of its end.
Fault begin_fault(Kind kind, const std::string& sentence, const std::vector<double>& numbers) {
  Fault fault{.kind = kind, .sentence = sentence};
  if (!is_of_folder(kind)) fault.worker = std::uint64_t(numbers[0]);
  if (kind == Kind::stalls || kind == Kind::multiplies_its_loss) fault.amount = numbers[1];
  return fault;
}

std::optional<Fault> parse_as(const Phrase& phrase, const std::string& sentence) {
  const auto numbers_with = [&](const char* when) {
    const std::string ending = fmt::format(fmt::runtime(when), unit_of(phrase.kind));
    return match(sentence, fmt::format("{} {}", phrase.words, ending));
  };
  if (const auto numbers = numbers_with(kAt)) {
    Fault fault = begin_fault(phrase.kind, sentence, *numbers);
    fault.first = fault.last = std::uint64_t(numbers->back());
    return fault;
  }
  if (const auto numbers = numbers_with(kFromTo)) {
    Fault fault = begin_fault(phrase.kind, sentence, *numbers);
    fault.first = std::uint64_t(numbers->end()[-2]), fault.last = std::uint64_t(numbers->back());
    if (fault.first < fault.last) return fault;
  }
  if (const auto numbers = numbers_with(kEvery)) {
    Fault fault = begin_fault(phrase.kind, sentence, *numbers);
    fault.period = std::uint64_t(numbers->back());
    if (fault.period > 0) return fault;
  }
  return std::nullopt;
}

[[noreturn]] void refuse(const std::string& sentence) {
  std::string known;
  for (const Phrase& phrase : kPhrases) known += fmt::format("\"{}\", ", phrase.words);
  throw KeyError(
      "debug.fail",
      fmt::format("expected one of {}and then \"at step #\", \"from step # to #\" or "
                  "\"every # steps\" (of disk and folder, versions), # being numbers; found "
                  "\"{}\"",
                  known, sentence));
}

}  // namespace

std::vector<Fault> parse_faults(const std::vector<std::string>& sentences) {
  std::vector<Fault> faults;
  for (const std::string& sentence : sentences) {
    std::optional<Fault> fault;
    for (const Phrase& phrase : kPhrases) {
      if (!fault) fault = parse_as(phrase, sentence);
    }
    if (!fault) refuse(sentence);
    faults.push_back(*fault);
  }
  return faults;
}

bool is_of_folder(Kind kind) {
  return kind == Kind::disk_is_full || kind == Kind::folder_is_read_only;
}

const Fault* bar_to_writing(const std::vector<Fault>& faults, std::uint64_t version) {
  const auto found = std::ranges::find_if(faults, [version](const Fault& fault) {
    return is_of_folder(fault.kind) && fault.covers(version);
  });
  return found == faults.end() ? nullptr : &*found;
}

}  // namespace easgd
