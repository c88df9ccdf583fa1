// The source of endless.hsaco: kernels for workgroups of 64 that never end, and one that does. Made
// as two_kernels.s says.
// spin: a loop of one branch. nap: s_sleep in a loop. strand: the second wave loops while the first waits for it at a
// barrier. end: ends at once.

	.amdgcn_target "amdgcn-amd-amdhsa--gfx1100"
	.text
	.globl spin
	.p2align 8
	.type spin,@function
spin:
	s_branch spin
	s_endpgm
.Lspin_end:
	.size spin, .Lspin_end-spin

	.globl nap
	.p2align 8
	.type nap,@function
nap:
	s_sleep 0x7f
	s_branch nap
	s_endpgm
.Lnap_end:
	.size nap, .Lnap_end-nap

	.globl strand
	.p2align 8
	.type strand,@function
strand:
	v_readfirstlane_b32 s0, v0
	s_cmp_eq_u32 s0, 0
	s_cbranch_scc1 .Lstrand_wait
.Lstrand_loop:
	s_branch .Lstrand_loop
.Lstrand_wait:
	s_barrier
	s_endpgm
.Lstrand_end:
	.size strand, .Lstrand_end-strand

	.globl end
	.p2align 8
	.type end,@function
end:
	s_endpgm
.Lend_end:
	.size end, .Lend_end-end

	.macro descriptor name
	.p2align 6
	.amdhsa_kernel \name
		.amdhsa_next_free_vgpr 2
		.amdhsa_next_free_sgpr 8
		.amdhsa_wavefront_size32 1
	.end_amdhsa_kernel
	.endm

	.rodata
	descriptor spin
	descriptor nap
	descriptor strand
	descriptor end

	.amdgpu_metadata
---
amdhsa.version: [ 1, 2 ]
amdhsa.target: amdgcn-amd-amdhsa--gfx1100
amdhsa.kernels:
  - { .name: spin, .symbol: spin.kd, .kernarg_segment_size: 0, .kernarg_segment_align: 8, .group_segment_fixed_size: 0,
      .private_segment_fixed_size: 0, .wavefront_size: 32, .sgpr_count: 8, .vgpr_count: 2,
      .max_flat_workgroup_size: 1024, .args: [] }
  - { .name: nap, .symbol: nap.kd, .kernarg_segment_size: 0, .kernarg_segment_align: 8, .group_segment_fixed_size: 0,
      .private_segment_fixed_size: 0, .wavefront_size: 32, .sgpr_count: 8, .vgpr_count: 2,
      .max_flat_workgroup_size: 1024, .args: [] }
  - { .name: strand, .symbol: strand.kd, .kernarg_segment_size: 0, .kernarg_segment_align: 8,
      .group_segment_fixed_size: 0, .private_segment_fixed_size: 0, .wavefront_size: 32, .sgpr_count: 8,
      .vgpr_count: 2, .max_flat_workgroup_size: 1024, .args: [] }
  - { .name: end, .symbol: end.kd, .kernarg_segment_size: 0, .kernarg_segment_align: 8, .group_segment_fixed_size: 0,
      .private_segment_fixed_size: 0, .wavefront_size: 32, .sgpr_count: 8, .vgpr_count: 2,
      .max_flat_workgroup_size: 1024, .args: [] }
...
	.end_amdgpu_metadata
