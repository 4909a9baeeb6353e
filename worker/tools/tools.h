// The verbs of `worker` that compute on this machine and talk to nobody: `mimeo embed`, `reconstruct`, `export` and
// `evaluate knn|linear|compare` run them as a child process. The results of these three and of `survey` go to stdout as
// one JSON object, and progress and errors go to stderr.
//
// An error of libtorch becomes an exit code too, and every name in the output is text. Images that cannot be decoded
// are left out, each is named on stderr, and the exit code is 0. Where no image is left it is 2.
//
// argv[0] is the verb's own name. Each returns the process's exit code: 0 done, 1 failed, 2 the request was wrong.
#pragma once

namespace mimeo {

// embed --weights FILE|DIR --images PATH --out FILE [--feature patch_mean|class_token] [--tokens] [--batch N]
//       [--image_px N] [--threads N]
int RunEmbed(int argc, char** argv);

// reconstruct --weights checkpoint.safetensors --images PATH --out DIR [--hold_out SHARE] [--count N] [--seed N]
// Draws N pictures, of images that are spread over the classes; with --hold_out of those alone that a job with this
// evaluation.hold_out does not train on.
int RunReconstruct(int argc, char** argv);

// export --checkpoint checkpoint.safetensors --to hf|safetensors --out PATH (a folder for hf, a file for safetensors)
int RunExport(int argc, char** argv);

// describe --weights FILE|DIR
int RunDescribe(int argc, char** argv);

// knn --weights FILE|DIR --data PATH [--bank PATH] [--k N] [--temperature T] [--batch N] [--image_px N]
//     [--max_images N] [--threads N]
// Classifies the images of `data` by those of `bank`. Without --bank, PATH holds train/ (the bank) and validation/.
int RunKnn(int argc, char** argv);

// linear --weights FILE|DIR --data PATH [--bank PATH] [--batch N] [--image_px N] [--max_images N] [--threads N]
int RunLinear(int argc, char** argv);

// compare --weights FILE|DIR --data PATH [--bank PATH | --hold_out F] [--job JOB.textproto]
//         [--against NAME=FILE|DIR]... [--batch N] [--image_px N] [--max_images N] [--threads N]
// The encoder beside what its job started from, raw pixels, the most frequent class and other encoders.
int RunCompare(int argc, char** argv);

// survey --data PATH [--hold_out SHARE] [--members M]
// What a data set holds (data/survey.h): path, kind, images, labelled, classes [{name, images}], passed_over [{reason,
// count, names}], undecodable {looked_at, count, names}, width and height {smallest, median, largest}, grey, duplicates
// {groups, images}, with --hold_out held_out {share, images, labelled, classes, least_share}, notes, seconds.
int RunSurvey(int argc, char** argv);

}  // namespace mimeo
