"""Writes what llama.cpp needs to run a file of GPT-2 whose products are MatMulNBits: the same integers as a GGUF file beside it, and tokens."""

import numpy as np
import onnx
from onnx import numpy_helper

# The products of a layer, in the order in which the file has them: the module's name, and llama.cpp's.
PRODUCTS = {"attn.c_attn": "attn_qkv", "attn.c_proj": "attn_output", "mlp.c_fc": "ffn_up", "mlp.c_proj": "ffn_down"}
NORMS = {"ln_1": "attn_norm", "ln_2": "ffn_norm"}


class Product:
    """Weights of 4 bits, with a scale for each block of 32 and zero at 8."""

    def __init__(self, node, constants):
        packed = numpy_helper.to_array(constants[node.input[1]])  # [columns, blocks, 16], the first of two in the low bits
        attributes = {attribute.name: attribute.i for attribute in node.attribute}
        if attributes["bits"] != 4 or attributes["block_size"] != 32 or len(node.input) > 3 and node.input[3]:
            raise ValueError(f"{node.name}: only blocks of 32 of 4 bits without zero points are Q4_0")
        self.integers = np.stack([packed & 15, packed >> 4], -1).reshape(*packed.shape[:2], 32)
        self.scales = numpy_helper.to_array(constants[node.input[2]]).reshape(packed.shape[:2])

    def floats(self):
        """[columns, terms]."""
        return ((self.integers.astype("f4") - 8) * self.scales[..., None]).reshape(len(self.integers), -1)

    def q4_0(self):
        """llama.cpp's blocks: a scale of 16 bits, then byte i with integer i in its low bits and integer i + 16 in the others."""
        halves = self.scales.astype("<f2")[..., None].view("u1")
        packed = self.integers[..., :16] | self.integers[..., 16:] << 4
        return np.concatenate([halves, packed], -1).reshape(len(self.integers), -1)


def write(path, beside, network, inputs):
    """Writes companions of the file at `path`, named after `beside`: .gguf, .tokens.npy, and .npz, the inputs, in which the keys and values are
    those of the tokens before.

    `network` is the module that the file was exported from, and `inputs` what it was exported with.
    """
    import gguf
    import torch
    graph = onnx.load(path).graph
    constants = {tensor.name: tensor for tensor in graph.initializer}
    products = [Product(node, constants) for node in graph.node if node.op_type == "MatMulNBits"]
    model, config = network.model, network.model.config
    if len(products) != 4 * config.n_layer + 1:
        raise ValueError(f"{path} has {len(products)} products of 4 bits instead of {4 * config.n_layer + 1}")
    names = [(f"transformer.h.{layer}.{name}", f"blk.{layer}.{other}") for layer in range(config.n_layer) for name, other in PRODUCTS.items()]
    names.append(("lm_head", "output"))

    writer = gguf.GGUFWriter(beside.with_suffix(".gguf"), "gpt2")
    writer.add_context_length(config.n_positions)
    writer.add_embedding_length(config.n_embd)
    writer.add_feed_forward_length(config.n_inner or 4 * config.n_embd)
    writer.add_block_count(config.n_layer)
    writer.add_head_count(config.n_head)
    writer.add_layer_norm_eps(config.layer_norm_epsilon)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_Q4_0)
    writer.add_tokenizer_model("no_vocab")
    writer.add_vocab_size(config.vocab_size)

    def add(name, module):
        for part in ("weight", "bias"):
            if (tensor := getattr(module, part, None)) is not None:
                writer.add_tensor(f"{name}.{part}", tensor.detach().numpy().astype("f4"))

    body = model.transformer
    add("token_embd", body.wte)
    add("position_embd", body.wpe)
    add("output_norm", body.ln_f)
    for layer, block in enumerate(body.h):
        for name, other in NORMS.items():
            add(f"blk.{layer}.{other}", getattr(block, name))
    for product, (name, other) in zip(products, names):
        module = model.get_submodule(name)
        writer.add_tensor(f"{other}.weight", product.q4_0(), raw_dtype=gguf.GGMLQuantizationType.Q4_0)
        if getattr(module, "bias", None) is not None:
            writer.add_tensor(f"{other}.bias", module.bias.detach().numpy().astype("f4"))
        # GPT-2's own layers keep their weights transposed; the head shares its weights with the embedding, and does not any more.
        weights = torch.from_numpy(product.floats())
        module.weight = torch.nn.Parameter(weights if name == "lm_head" else weights.T.contiguous())
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()

    ids = inputs["input_ids"]
    past = int(inputs["position_ids"][0, 0])
    tokens = torch.randint(0, config.vocab_size, (1, past + ids.shape[1]))
    values = {"input_ids": tokens[:, past:], "position_ids": inputs["position_ids"]}
    if past:
        with torch.no_grad():
            cache = model.eval()(input_ids=tokens[:, :past], use_cache=True).past_key_values
        for number, layer in enumerate(cache.layers):
            values |= {f"past_key_{number}": layer.keys, f"past_value_{number}": layer.values}
    np.save(beside.with_suffix(".tokens.npy"), tokens[0].numpy().astype("i4"))
    np.savez(beside.with_suffix(".npz"), **{name: value.numpy() for name, value in values.items()})
