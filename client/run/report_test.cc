#include "client/run/report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/text.h"

namespace mimeo {
namespace {

using testing::HasSubstr;
using testing::Not;

RunReport Sample() {
  RunReport report;
  report.job.mutable_spec()->set_name("a<script>");
  report.job_text = "name: \"x & y\"";
  for (int i = 1; i <= 3; ++i) {
    StepMetrics step;
    step.set_step(i);
    step.set_images(32 * i);
    step.set_loss(2.0 / i);
    (*step.mutable_terms())["pixels"] = 1.0 / i;
    (*step.mutable_terms())["mimic"] = 1.0 / i;
    step.set_images_per_second(100 * i);
    report.steps.push_back(step);
  }
  EvaluationResult before, after;
  (*before.mutable_values())["knn_accuracy"] = 0.25;
  after.set_step(3);
  (*after.mutable_values())["knn_accuracy"] = 0.5;
  report.evaluations = {before, after};
  report.reconstructions = {{"0.png", "PNG"}};
  report.machine = "2 cores";
  report.seconds = 42;
  report.verdict = {"It is better than <raw> pixels.", "Next: more."};
  return report;
}

TEST(HtmlReportTest, HoldsCurvesEvaluationImagesAndJobInOneFile) {
  const std::string html = HtmlReport(Sample());
  EXPECT_THAT(html,
              HasSubstr("<h2>What it is worth</h2><p>It is better than &lt;raw&gt; pixels.</p><p>Next: more.</p>"));
  EXPECT_THAT(html, HasSubstr("<polyline"));
  EXPECT_THAT(html, HasSubstr("data:image/png;base64,UE5H"));
  EXPECT_THAT(html, HasSubstr("<th>untrained encoder</th><th>step 3</th>"));
  EXPECT_THAT(html, HasSubstr("<td>knn_accuracy</td><td>0.25</td><td>0.5</td>"));
  EXPECT_THAT(
      html, HasSubstr("3 steps, 96 images: 1 s of training, at a median of 200 images/s"));  // 32/100 + 32/200 + 32/300
  EXPECT_THAT(html, HasSubstr("last session of this run took 42 s. Rank 0 waited 0.0 s for images. 2 cores."));
  EXPECT_THAT(html, Not(HasSubstr("http")));
}

TEST(HtmlReportTest, StartingWeightsAreNoUntrainedEncoder) {
  RunReport report = Sample();
  report.job.mutable_spec()->set_init_weights("/w");
  EXPECT_THAT(HtmlReport(report), HasSubstr("<th>weights it started from</th><th>step 3</th>"));
}

TEST(HtmlReportTest, OneStepIsNoPlural) {
  RunReport report = Sample();
  report.steps.resize(1);
  report.steps[0].set_images(1);
  EXPECT_THAT(HtmlReport(report), HasSubstr("1 step, 1 image: "));
}

// A page of 390 px: what is wider scrolls within itself. Rendered once by hand; here are the rules that did it.
TEST(HtmlReportTest, FitsATelephone) {
  const std::string html = HtmlReport(Sample());
  EXPECT_THAT(html, HasSubstr("<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">"));
  EXPECT_THAT(html, HasSubstr("img,svg{max-width:100%}"));
  EXPECT_THAT(html, HasSubstr("minmax(min(300px,100%),1fr)"));
  EXPECT_THAT(html, HasSubstr(".wide{overflow-x:auto}"));
  EXPECT_THAT(html, HasSubstr("<div class=\"wide\"><table>"));
  EXPECT_THAT(html, HasSubstr("body{overflow-wrap:anywhere;"));
}

TEST(HtmlReportTest, SaysTheMethodAndTheVerdict) {
  RunReport report = Sample();
  report.verdict.clear();
  EXPECT_THAT(HtmlReport(report), Not(HasSubstr("What it is worth")));
  report.verdict = {"Better than <raw pixels>.", "Next: longer."};
  ObjectiveSpec* objective = report.job.mutable_spec()->add_objective();
  objective->set_name("pixels");
  objective->mutable_reconstruction();
  EXPECT_THAT(HtmlReport(report), HasSubstr("<p>Method: reconstruction (pixels), "));
  EXPECT_THAT(HtmlReport(report), HasSubstr("<p>Better than &lt;raw pixels&gt;.</p><p>Next: longer.</p>"));
}

TEST(HtmlReportTest, SaysWhatTheDataLeaveOut) {
  RunReport report = Sample();
  EXPECT_THAT(HtmlReport(report), Not(HasSubstr("left out")));
  DataContents* data = report.job.add_data();
  data->set_field("data.path");
  data->add_passed_over()->set_reason("hidden folders");
  data->mutable_passed_over(0)->set_count(2);
  data->mutable_passed_over(0)->add_names("<b>.x");
  EXPECT_THAT(HtmlReport(report), HasSubstr("<li>data.path leaves out hidden folders: 2 (&lt;b&gt;.x, ...)</li>"));
}

TEST(HtmlReportTest, IsTextWhateverNamesAreInIt) {
  RunReport report = Sample();
  const std::string odd = "caf\xe9\x1b[31m\xe2\x80\xae<b>";
  report.job_text = "path: \"" + odd + "\"";
  report.machine = odd;
  (*report.steps[0].mutable_stats())["pixels/" + odd] = 1;
  (*report.evaluations[0].mutable_values())[odd] = 1;
  report.reconstructions = {{odd + ".png", "PNG"}};
  const std::string html = HtmlReport(report);
  EXPECT_EQ(html, ToLines(html, html.size() * 4)) << "nothing in it is no text";
  EXPECT_THAT(html, HasSubstr("caf\\xe9\\x1b[31m\\u{202e}&lt;b&gt;"));
}

TEST(HtmlReportTest, SaysHowLongAJobWithATeacherWaitedForIt) {
  RunReport report = Sample();
  report.job.mutable_spec()->add_objective()->mutable_mimic()->set_teacher("clip");
  report.steps[0].set_teacher_wait_seconds(1.5);
  EXPECT_THAT(HtmlReport(report), HasSubstr("0.0 s for images and 1.5 s for its teacher."));
}

// What is watched need not be in every step.
TEST(HtmlReportTest, DrawsWhatIsWatchedForCollapse) {
  RunReport report = Sample();
  EXPECT_THAT(HtmlReport(report), Not(HasSubstr("Watched for collapse")));
  (*report.steps[0].mutable_stats())["encoder/effective_rank"] = 7.5;
  (*report.steps[2].mutable_stats())["encoder/effective_rank"] = 8.5;
  (*report.steps[1].mutable_stats())["contrast/uniformity"] = -2;
  const std::string html = HtmlReport(report);
  EXPECT_THAT(html, HasSubstr("Watched for collapse"));
  EXPECT_THAT(html, HasSubstr("encoder/effective_rank</figcaption>"));
  EXPECT_THAT(html, HasSubstr("contrast/uniformity</figcaption>"));
}

TEST(HtmlReportTest, SaysWhatAStepsTimeWentInto) {
  RunReport report = Sample();
  EXPECT_THAT(HtmlReport(report), Not(HasSubstr("What the device made of it")));
  for (StepMetrics& step : report.steps) {
    Utilization* use = step.mutable_utilization();
    use->set_step_seconds(1), use->set_teacher_wait_seconds(0.25),
        use->set_gflop_per_second(30 + static_cast<double>(step.step()));
  }
  const std::string html = HtmlReport(report);
  EXPECT_THAT(html, HasSubstr("Rank 0, at the end: step 1.000s: compute 0.750s, communication 0.000s, images 0.000s, "
                              "teacher 0.250s; 33.0 GFLOP/s"));
  EXPECT_THAT(html, HasSubstr("<figcaption>Seconds of a step"));
}

TEST(HtmlReportTest, EscapesWhatPeopleNamed) {
  const std::string html = HtmlReport(Sample());
  EXPECT_THAT(html, Not(HasSubstr("<script>")));
  EXPECT_THAT(html, HasSubstr("a&lt;script&gt;"));
  EXPECT_THAT(html, HasSubstr("x &amp; y"));
}

TEST(HtmlReportTest, SaysWhatAReconstructionWasGiven) {
  RunReport report = Sample();
  EXPECT_THAT(HtmlReport(report), HasSubstr(">Training image, what the encoder saw"));
  EXPECT_THAT(HtmlReport(report), Not(HasSubstr("true mean")));
  report.reconstructions_held_out = true;
  report.job.mutable_spec()->add_objective()->mutable_reconstruction()->set_normalize_patches(true);
  EXPECT_THAT(HtmlReport(report), HasSubstr(">Held-out image, what the encoder saw"));
  EXPECT_THAT(HtmlReport(report), HasSubstr("each hidden patch is drawn with its true mean"));
}

TEST(HtmlReportTest, ARunWithoutStepsOrEvaluationStillHasItsJob) {
  RunReport report;
  report.job_text = "seed: 1";
  EXPECT_THAT(HtmlReport(report), HasSubstr("seed: 1"));
}

}  // namespace
}  // namespace mimeo
