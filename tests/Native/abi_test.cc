// SPDX-License-Identifier: MIT
// The built library as the loader sees it: what it exports, what it needs, how it is hardened.
#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <set>
#include <sstream>
#include <string>

namespace cats::test {
namespace {

std::string Readelf(const std::string& options) {
  const std::string command = "readelf " + options + " -W '" CATS_LIBRARY "' 2>/dev/null";
  FILE* pipe = popen(command.c_str(), "r");
  std::string text;
  std::array<char, 4096> buffer;
  while (pipe != nullptr && fgets(buffer.data(), static_cast<int>(buffer.size()), pipe) != nullptr)
    text += buffer.data();
  if (pipe != nullptr) pclose(pipe);
  return text;
}

TEST(Abi, ExportsTheDocumentedFunctionsAndNothingElse) {
  const std::string text = Readelf("--dyn-syms");
  if (text.empty()) GTEST_SKIP() << "readelf is not here";
  std::set<std::string> exported;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string number, value, size, type, bind, visibility, section, name;
    words >> number >> value >> size >> type >> bind >> visibility >> section >> name;
    if (bind == "GLOBAL" && section != "UND") exported.insert(name);
    EXPECT_FALSE(section == "UND" && name.starts_with("Ort")) << name;
  }
  EXPECT_EQ(
      (std::set<std::string>{"RegisterCustomOps", "RegisterCatsCustomOps", "CatsVersion", "CatsDescribeOps",
                             "CatsRunSparseGatedMlp", "CatsRunSparseGatedMlpReference", "CatsRunThreshold",
                             "CatsRunGateObserver", "CatsKernelsMade", "CatsCudaLoadGreedyToken",
                             "CatsCudaChooseGreedyToken", "CatsCudaMeasureReadCeiling"}),
      exported);
}

TEST(Abi, NeedsNoOnnxRuntimeStaysLoadedAndIsHardened) {
  const std::string text = Readelf("-d -l");
  if (text.empty()) GTEST_SKIP() << "readelf is not here";
  EXPECT_EQ(std::string::npos, text.find("onnxruntime.so"));
  EXPECT_EQ(std::string::npos, text.find("RUNPATH"));
  EXPECT_EQ(std::string::npos, text.find("RPATH"));
  for (const char* part : {"NODELETE", "NOW", "GNU_RELRO"})
    EXPECT_NE(std::string::npos, text.find(part)) << part;
}

}  // namespace
}  // namespace cats::test
