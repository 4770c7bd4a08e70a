#include "exchange/letter_buffer.h"

#include "base/check.h"

namespace easgd {

LetterBuffer::LetterBuffer(const Options& options, CenterReplica& replica, Mailbox& mailbox)
    : options_(options),
      replica_(replica),
      mailbox_(&mailbox),
      statistics_(replica.backend->allocate_mailbox(options.statistics)) {
  if (options.route == Route::host) return;
  const std::size_t state = options.parameters + options.statistics;
  lent_ = replica.backend->allocate(2 * state);
  const View letter = lent_.view().first(state), reply = lent_.view().last(state);
  letter_ = letter.first(options.parameters);
  reply_ = reply.first(options.parameters);
  if (options.route == Route::peer) mailbox.attach(letter, reply);
}

void LetterBuffer::open(Mailbox& mailbox) {
  mailbox_ = &mailbox;
  const View letter = mailbox.letter(), reply = mailbox.reply_to_write();
  if (letter.empty()) return;  // of a worker that could not be made
  const std::size_t state = options_.parameters + options_.statistics;
  EASGD_CHECK(letter.size() == state && reply.size() == state,
              "worker {}: a letter of {}, a reply of {}, a state of {}", mailbox.worker(),
              letter.size(), reply.size(), state);
  if (options_.route != Route::host) return;
  letter_ = letter.first(options_.parameters);
  reply_ = reply.first(options_.parameters);
}

void LetterBuffer::start_fetch() {
  Backend& backend = *replica_.backend;
  const ConstView posted = mailbox_->letter_to_read();
  if (options_.route == Route::staged) {
    backend.upload(posted.first(options_.parameters), letter_);
  }
  backend.start_download(posted.subspan(options_.parameters), statistics_);
  backend.start_distance(letter_, options_.sends_change ? ConstView() : replica_.center);
}

void LetterBuffer::deliver_reply() {
  if (options_.route != Route::staged) return;
  replica_.backend->download(reply_, mailbox_->reply_to_write().first(options_.parameters));
}

}  // namespace easgd
