// SPDX-License-Identifier: MIT
// Many threads, many sessions, many runs: the same bits every time.
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "support/cats_models.h"

namespace cats::test {
namespace {

struct Fixture {
  MlpCase<F32> mlp{3, 96, 500, 31, true};
  std::string model = ModelBytes(MlpGraph(kFloat));
  std::vector<HostTensor> inputs;

  Fixture() {
    mlp.threshold = {0.1f};
    inputs = MlpInputs(mlp, {3});
  }
  std::vector<HostTensor> Run(const Session& session) const { return session.Run(inputs, {"Y", "active"}); }
};

TEST(OrtConcurrency, OneToEightIntraOpThreadsGiveTheSameBits) {
  const Fixture fixture;
  const auto expected = fixture.Run(Session(Runtime(), fixture.model, CATS_LIBRARY, 1));
  for (int threads = 2; threads <= 8; ++threads) {
    const Session session(Runtime(), fixture.model, CATS_LIBRARY, threads);
    for (int run = 0; run < 5; ++run)
      EXPECT_TRUE(SameBits(expected, fixture.Run(session))) << threads << " threads";
  }
}

TEST(OrtConcurrency, AThousandRunsGiveTheSameBits) {
  const Fixture fixture;
  const Session session(Runtime(), fixture.model, CATS_LIBRARY, 2);
  const auto expected = fixture.Run(session);
  int different = 0;
  for (int run = 0; run < 1000; ++run) different += SameBits(expected, fixture.Run(session)) ? 0 : 1;
  EXPECT_EQ(0, different);
}

TEST(OrtConcurrency, ThirtyTwoThreadsShareOneSession) {
  const Fixture fixture;
  const Session session(Runtime(), fixture.model, CATS_LIBRARY, 2);
  const auto expected = fixture.Run(session);
  std::atomic<int> different{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 32; ++t) {
    threads.emplace_back([&] {
      for (int run = 0; run < 20; ++run) different += SameBits(expected, fixture.Run(session)) ? 0 : 1;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(0, different);
}

TEST(OrtConcurrency, ThirtyTwoThreadsMakeSessionsAtOnce) {
  const Fixture fixture;
  const auto expected = fixture.Run(Session(Runtime(), fixture.model, CATS_LIBRARY));
  std::atomic<int> good{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 32; ++t) {
    threads.emplace_back([&] {
      const std::string error = ErrorOf([&] {
        const Session session(Runtime(), fixture.model, CATS_LIBRARY);
        good += SameBits(expected, fixture.Run(session)) ? 1 : 0;
      });
      if (!error.empty()) ADD_FAILURE() << error;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(32, good);
}

TEST(OrtConcurrency, SessionsComeAndGoAHundredTimes) {
  const Fixture fixture;
  const auto expected = fixture.Run(Session(Runtime(), fixture.model, CATS_LIBRARY));
  for (int round = 0; round < 100; ++round) {
    EXPECT_TRUE(SameBits(expected, fixture.Run(Session(Runtime(), fixture.model, CATS_LIBRARY))));
  }
}

}  // namespace
}  // namespace cats::test
