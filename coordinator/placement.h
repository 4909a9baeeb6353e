// Which slots a gang takes: all ranks or none. Pure values and functions.
#pragma once

#include <string>
#include <vector>

#include "proto/job.pb.h"

namespace mimeo {

// What one worker could give now.
struct SlotOffer {
  std::string worker_id;
  int total = 0;
  int free = 0;
  bool has_cuda = false;
  bool has_bfloat16 = false;  // all of its devices
  bool has_nvlink = false;    // between its devices
};

// The worker of each rank, or empty when the gang does not fit.
//
// A gang is of one kind: a CUDA job takes workers with CUDA; an auto job takes them if all its ranks fit there, else workers
// without; a CPU job takes workers without CUDA if it fits there, else any. A bfloat16 job takes workers with bfloat16 only. Within a
// kind the gang goes to as few workers as possible: the fullest one that holds it whole, with NVLink if one does and the gang has
// several ranks, and without if it has one; else the emptiest ones first. Ties go to the smaller id.
std::vector<std::string> PlaceGang(const ResourceSpec& resources, const std::vector<SlotOffer>& offers);

// Would it fit if nothing else ran on these workers?
bool FitsWhenIdle(const ResourceSpec& resources, std::vector<SlotOffer> offers);

// Could any rank of the gang ever run there?
bool Suits(const ResourceSpec& resources, const SlotOffer& offer);

// "workers", "CUDA workers", "CUDA workers with bfloat16".
std::string WorkersWanted(const ResourceSpec& resources);

}  // namespace mimeo
