#include "train/worker.h"

namespace easgd {

Worker::Worker(int index, const WorkerParts& parts, const Algorithm& algorithm, const Plan& plan,
               ConstView x0, Mailbox& mailbox, WorkerTelemetry& telemetry)
    : algorithm_(algorithm),
      plan_(plan),
      telemetry_(telemetry),
      steps_(plan.steps(std::size_t(index))),
      backend_(parts.backend()),
      model_(parts.model(*backend_)),
      batches_(parts.batches(*backend_)),
      rule_(algorithm.worker(*backend_, x0)),
      gradient_(backend_->allocate(x0.size())),
      letter_(backend_->allocate_mailbox(x0.size())),
      reply_(backend_->allocate_mailbox(x0.size())),
      mailbox_(mailbox) {
  mailbox_.attach(letter_, reply_);
}

Worker::~Worker() {
  backend_->finish();
  mailbox_.leave();
}

void Worker::run(std::stop_token stop) {
  while (clock_ < steps_ && !closed_ && !stop.stop_requested()) step();
  if (algorithm_.single && !closed_) publish();
  telemetry_.phase = Phase::ended;
}

void Worker::step() {
  telemetry_.phase = Phase::data;
  const Batch* batch = nullptr;
  {
    const Timed timed(telemetry_.data_seconds);
    batch = &batches_->next(clock_);
  }
  const bool exchange = clock_ == next_exchange_;
  if (exchange) post_letter();
  {
    telemetry_.phase = Phase::gradient;
    const Timed timed(telemetry_.gradient_seconds);
    model_->gradient(rule_->gradient_point(), *batch, gradient_);
  }
  finish_exchange(exchange);
  telemetry_.clock = ++clock_;
}

void Worker::post_letter() {
  telemetry_.phase = Phase::exchange;
  const Timed timed(telemetry_.exchange_seconds);
  mailbox_.note() = {plan_.alpha(clock_), clock_, model_->take_tally()};
  backend_->post(rule_->letter(), letter_, [this] { mailbox_.post(); });
  next_exchange_ = clock_ + plan_.tau(clock_);
}

/// The step, with the reply where a letter was posted before the gradient.
void Worker::finish_exchange(bool exchanged) {
  Mailbox::Reply kind = Mailbox::Reply::none;
  ConstView reply;
  if (exchanged) {
    telemetry_.phase = Phase::exchange;
    const Timed timed(telemetry_.exchange_seconds);
    kind = mailbox_.wait_for_reply();
    if (kind == Mailbox::Reply::pull || kind == Mailbox::Reply::restart) {
      reply = backend_->fetch(reply_);
    }
  }
  telemetry_.phase = Phase::gradient;
  const Timed timed(telemetry_.gradient_seconds);
  if (kind == Mailbox::Reply::closed) {
    closed_ = true;
  } else if (kind == Mailbox::Reply::restart) {
    rule_->restart(reply);
  } else {
    rule_->step(gradient_, reply, plan_.rates(clock_));
  }
  mailbox_.release();
}

/// A last letter, so that the end of the run is what is evaluated and saved.
void Worker::publish() {
  post_letter();
  mailbox_.wait_for_reply();
  mailbox_.release();
}

}  // namespace easgd
