// The source of two_kernels.hsaco, which is kept in binary so that no test needs an assembler:
//   llvm-mc-19 -triple=amdgcn-amd-amdhsa -mcpu=gfx1100 -filetype=obj two_kernels.s -o two_kernels.o
//   ld.lld-19 -shared two_kernels.o -o two_kernels.hsaco
// add_one: out[i] = in[i] + 1 for workgroups of 32. spill: uses LDS, scratch and wave64; does nothing.

	.amdgcn_target "amdgcn-amd-amdhsa--gfx1100"
	.text
	.globl add_one
	.p2align 8
	.type add_one,@function
add_one:
	s_load_b128 s[4:7], s[0:1], 0x0
	v_lshl_add_u32 v0, s2, 5, v0
	v_lshlrev_b32_e32 v0, 2, v0
	s_waitcnt lgkmcnt(0)
	global_load_b32 v1, v0, s[6:7]
	s_waitcnt vmcnt(0)
	v_add_nc_u32_e32 v1, 1, v1
	global_store_b32 v0, v1, s[4:5]
	s_nop 0
	s_sendmsg sendmsg(MSG_DEALLOC_VGPRS)
	s_endpgm
.Ladd_one_end:
	.size add_one, .Ladd_one_end-add_one

	.globl spill
	.p2align 8
	.type spill,@function
spill:
	s_endpgm
.Lspill_end:
	.size spill, .Lspill_end-spill

	.rodata
	.p2align 6
	.amdhsa_kernel add_one
		.amdhsa_kernarg_size 16
		.amdhsa_user_sgpr_count 2
		.amdhsa_user_sgpr_kernarg_segment_ptr 1
		.amdhsa_next_free_vgpr 2
		.amdhsa_next_free_sgpr 8
		.amdhsa_wavefront_size32 1
	.end_amdhsa_kernel

	.p2align 6
	.amdhsa_kernel spill
		.amdhsa_group_segment_fixed_size 1024
		.amdhsa_private_segment_fixed_size 20
		.amdhsa_kernarg_size 8
		.amdhsa_user_sgpr_count 4
		.amdhsa_user_sgpr_dispatch_ptr 1
		.amdhsa_user_sgpr_kernarg_segment_ptr 1
		.amdhsa_enable_private_segment 1
		.amdhsa_next_free_vgpr 8
		.amdhsa_next_free_sgpr 8
		.amdhsa_wavefront_size32 0
	.end_amdhsa_kernel

	// A pointer in data makes the linker emit a relative relocation.
	.data
	.p2align 3
	.globl pointer
	.type pointer,@object
	.size pointer, 8
	.hidden pointer
pointer:
	.quad table
	.hidden table
	.globl table
table:
	.quad 42

	.amdgpu_metadata
---
amdhsa.version: [ 1, 2 ]
amdhsa.target: amdgcn-amd-amdhsa--gfx1100
amdhsa.kernels:
  - .name: add_one
    .symbol: add_one.kd
    .kernarg_segment_size: 16
    .kernarg_segment_align: 8
    .group_segment_fixed_size: 0
    .private_segment_fixed_size: 0
    .wavefront_size: 32
    .sgpr_count: 8
    .vgpr_count: 2
    .max_flat_workgroup_size: 1024
    .args:
      - { .name: out, .size: 8, .offset: 0, .value_kind: global_buffer, .address_space: global }
      - { .name: in, .size: 8, .offset: 8, .value_kind: global_buffer, .address_space: global, .is_const: true }
  - .name: spill
    .symbol: spill.kd
    .kernarg_segment_size: 8
    .kernarg_segment_align: 8
    .group_segment_fixed_size: 1024
    .private_segment_fixed_size: 20
    .wavefront_size: 64
    .sgpr_count: 8
    .vgpr_count: 8
    .max_flat_workgroup_size: 256
    .args:
      - { .size: 8, .offset: 0, .value_kind: hidden_global_offset_x }
...
	.end_amdgpu_metadata
