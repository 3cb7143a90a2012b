/*
 * The yardstick of the rings bench: the same single-producer ring in C++.
 *
 *   spsc <payload bytes> <records> <records a batch, 1 = single> <capacity bytes>
 *
 *   producer thread: private source ── memcpy ──> ring ── memcpy ──> private target : consumer thread
 *
 * What is the same as in rings/spsc-ring.ts: records of any length behind a header of length and kind, aligned
 * to 8 bytes, padding before the wrap, a claim and a commit, one publishing store for each record or each
 * batch, one releasing store for each poll of at most POLL_LIMIT records, each side's copy of the other's
 * position, positions two cache lines apart. What C++ has ahead of JavaScript: acquire and release instead of
 * sequential consistency, inlining without a guess, the C library's memcpy. What it leaves out: marks,
 * counters, the doorbell, closing, recovery after a death.
 *
 * Every record carries its number in its first and last word. The sum of both must come out, and the last
 * record must arrive whole, or the program fails. It prints the milliseconds of all records but the first
 * quarter, as the consumer saw them.
 */
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <random>
#include <thread>
#include <vector>
#if defined(__x86_64__) || defined(__i386__)
#include <immintrin.h>
static inline void relax() { _mm_pause(); }
#else
static inline void relax() { std::this_thread::yield(); }
#endif

namespace {

constexpr int32_t kPadding = -1;
constexpr uint32_t kHeaderBytes = 8;
constexpr int kPollLimit = 256;
/** After so many pauses in vain a side sleeps, as on a machine with other work it may hold the other's core. */
constexpr int kSpins = 3000;
/** A receiver that found fewer, and shorter all together, lets some gather. A pause takes less time here than in JavaScript. */
constexpr uint32_t kFewRecords = 32;
constexpr uint32_t kFewBytes = 2048;
constexpr int kGatherPauses = 200;

uint32_t recordBytes(uint32_t payload) { return (payload + kHeaderBytes + 7) & ~7u; }

struct Header {
  int32_t length;
  int32_t kind;
};

struct Shared {
  explicit Shared(uint64_t capacityBytes, uint64_t start) : capacity(capacityBytes), mask(capacityBytes - 1) {
    memory.reset(static_cast<uint8_t*>(std::aligned_alloc(128, capacityBytes)));
    // As fresh shared memory in JavaScript the bytes are zero; the pages are touched by this.
    std::memset(memory.get(), 0, capacityBytes);
    tail.store(start);
    head.store(start);
  }
  struct Free { void operator()(uint8_t* bytes) const { std::free(bytes); } };
  const uint64_t capacity;
  const uint64_t mask;
  std::unique_ptr<uint8_t, Free> memory;
  alignas(128) std::atomic<uint64_t> tail{0};
  alignas(128) std::atomic<uint64_t> head{0};
};

class alignas(128) Producer {
 public:
  explicit Producer(Shared& shared) : shared_(shared), memory_(shared.memory.get()), tail_(shared.tail.load()), headCache_(shared.head.load()) {}

  /** Room for one record; the payload's address, or nullptr when the ring is full. */
  uint8_t* tryClaim(int32_t kind, uint32_t payload) {
    if (!reserve(recordBytes(payload))) return nullptr;
    return append(kind, payload);
  }

  /** Contiguous room for records of `bytes` in all. */
  bool tryClaimBatch(uint32_t bytes) { return reserve(bytes); }

  uint8_t* append(int32_t kind, uint32_t payload) {
    uint8_t* place = memory_ + (end_ & shared_.mask);
    const Header header{static_cast<int32_t>(payload), kind};
    std::memcpy(place, &header, sizeof header);
    end_ += recordBytes(payload);
    return place + kHeaderBytes;
  }

  void commit() {
    tail_ = end_;
    shared_.tail.store(tail_, std::memory_order_release);
  }

 private:
  bool reserve(uint64_t total) {
    const uint64_t place = tail_ & shared_.mask;
    const uint64_t toEnd = shared_.capacity - place;
    const uint64_t padding = total > toEnd ? toEnd : 0;
    if (shared_.capacity - (tail_ - headCache_) < padding + total) {
      headCache_ = shared_.head.load(std::memory_order_acquire);
      if (shared_.capacity - (tail_ - headCache_) < padding + total) return false;
    }
    if (padding != 0) {
      const Header header{static_cast<int32_t>(padding - kHeaderBytes), kPadding};
      std::memcpy(memory_ + place, &header, sizeof header);
    }
    end_ = tail_ + padding;
    return true;
  }

  Shared& shared_;
  uint8_t* const memory_;
  uint64_t tail_;
  uint64_t headCache_;
  uint64_t end_ = 0;
};

class alignas(128) Consumer {
 public:
  explicit Consumer(Shared& shared) : shared_(shared), memory_(shared.memory.get()), head_(shared.head.load()), tailCache_(shared.tail.load()) {}

  template <typename Handler>
  int poll(Handler&& handler, int limit) {
    int handled = 0;
    uint64_t head = head_;
    while (handled < limit) {
      if (head == tailCache_) {
        tailCache_ = shared_.tail.load(std::memory_order_acquire);
        if (head == tailCache_) break;
      }
      const uint8_t* place = memory_ + (head & shared_.mask);
      Header header;
      std::memcpy(&header, place, sizeof header);
      head += recordBytes(static_cast<uint32_t>(header.length));
      if (header.kind == kPadding) continue;
      handler(header.kind, place + kHeaderBytes, static_cast<uint32_t>(header.length));
      handled++;
    }
    if (head != head_) {
      head_ = head;
      shared_.head.store(head, std::memory_order_release);
    }
    return handled;
  }

 private:
  Shared& shared_;
  const uint8_t* const memory_;
  uint64_t head_;
  uint64_t tailCache_;
};

/** How both ends wait, and why; see patience.ts. */
class Patience {
 public:
  explicit Patience(uint32_t recordBytes) : few_(static_cast<int>(std::min(kFewRecords, (kFewBytes + recordBytes - 1) / recordBytes))) {}
  void lost() { pause(1); }
  void won() { spins_ = 0; }
  void found(int records) {
    if (records > 0) spins_ = 0;
    if (records < few_) pause(kGatherPauses);
  }

 private:
  void pause(int pauses) {
    for (int i = 0; i < pauses; i++) relax();
    spins_ += pauses;
    if (spins_ < kSpins) return;
    spins_ = 0;
    std::this_thread::sleep_for(std::chrono::microseconds(50));
  }

  const int few_;
  int spins_ = 0;
};

void produce(Shared& shared, uint32_t payload, uint64_t records, uint64_t batch, double first) {
  Producer producer(shared);
  Patience patience(payload);
  const size_t words = payload / 8;
  std::vector<double> source(words, 0.25);
  const auto write = [&](uint8_t* place, uint64_t index) {
    source[0] = source[words - 1] = first + static_cast<double>(index);
    std::memcpy(place, source.data(), payload);
  };
  for (uint64_t index = 0; index < records;) {
    if (batch == 1) {
      uint8_t* place;
      while ((place = producer.tryClaim(1, payload)) == nullptr) patience.lost();
      patience.won();
      write(place, index++);
    } else {
      const uint64_t count = batch < records - index ? batch : records - index;
      while (!producer.tryClaimBatch(static_cast<uint32_t>(count) * recordBytes(payload))) patience.lost();
      patience.won();
      for (const uint64_t end = index + count; index < end;) write(producer.append(1, payload), index++);
    }
    producer.commit();
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) return 2;
  const uint32_t payload = static_cast<uint32_t>(std::atoi(argv[1]));
  const uint64_t records = std::strtoull(argv[2], nullptr, 10);
  const uint64_t batch = std::strtoull(argv[3], nullptr, 10);
  const uint64_t capacity = std::strtoull(argv[4], nullptr, 10);
  std::random_device random;
  const double first = static_cast<double>(random() % 1'000'000);
  Shared shared(capacity, random() & ~7ull);
  std::thread producer(produce, std::ref(shared), payload, records, batch, first);

  Consumer consumer(shared);
  Patience patience(payload);
  const size_t words = payload / 8;
  std::vector<double> target(words);
  uint64_t received = 0;
  double sum = 0;
  const auto onRecord = [&](int32_t, const uint8_t* bytes, uint32_t length) {
    std::memcpy(target.data(), bytes, length);
    sum += target[0] + target[length / 8 - 1];
    received++;
  };
  const auto receive = [&](uint64_t until) {
    while (received < until) patience.found(consumer.poll(onRecord, kPollLimit));
  };
  const uint64_t warmUp = records / 4;
  receive(warmUp);
  const uint64_t alreadyReceived = received;
  const auto startedAt = std::chrono::steady_clock::now();
  receive(records);
  const std::chrono::duration<double, std::milli> elapsed = std::chrono::steady_clock::now() - startedAt;
  producer.join();

  const double n = static_cast<double>(records);
  bool whole = sum == 2 * (n * first + n * (n - 1) / 2) && target[0] == first + n - 1;
  for (size_t word = 1; word + 1 < words; word++) whole = whole && target[word] == 0.25;
  if (!whole) {
    std::fprintf(stderr, "records were lost or changed\n");
    return 1;
  }
  std::printf("{\"messages\":%llu,\"elapsedMs\":%.6f}\n", static_cast<unsigned long long>(records - alreadyReceived), elapsed.count());
  return 0;
}
