"""Servers' own words about limits, collected from their sources and documentation."""

import pytest

from claude_gateway_proxy.translation.limits import (
    MostOutput,
    TooLong,
    is_counted_too_long,
    is_too_long,
    most_output,
    prompt_too_long,
    too_long,
)

TOO_LONG = {
    "This model's maximum context length is 128000 tokens. However, your messages resulted in 140000 tokens "
    "(135000 in the messages, 5000 in the functions). Please reduce the length of the messages.": (140000, 128000),
    "prompt is too long: 210000 tokens > 200000 maximum": (210000, 200000),
    "The model returned the following errors: prompt is too long: 210000 tokens > 200000 maximum": (210000, 200000),
    "The input token count (1048999) exceeds the maximum number of tokens allowed (1048575).": (1048999, 1048575),
    "The input token count exceeds the maximum number of tokens allowed 1048575.": None,
    "This model's maximum context length is 4096 tokens. However, you requested 5000 tokens (4500 in the messages, "
    "500 in the completion). Please reduce the length of the messages or completion.": (4500, 4096),
    "'max_tokens' or 'max_completion_tokens' is too large: 32000. This model's maximum context length is 32768 tokens "
    "and your request has 40000 input tokens (32000 > 32768 - 40000).": (40000, 32768),
    "This model's maximum context length is 32768 tokens. However, you requested 1 output tokens and your prompt "
    "contains at least 32768 input tokens, for a total of at least 32769 tokens.": None,
    "The decoder prompt (length 5000) is longer than the maximum model length of 4096.": (5000, 4096),
    "Input length (5000) exceeds model's maximum context length (4096).": (5000, 4096),
    "Input of 140,000 tokens exceeds the context window of 128,000 tokens": (140000, 128000),
    "Prompt contains 40000 tokens and 0 draft tokens, too large for model with 32768 maximum context length": (
        40000,
        32768,
    ),
    "too many tokens: total number of tokens in the prompt cannot exceed 4081 - received 5000.": (5000, 4081),
    "request (9000 tokens) exceeds the available context size (8192 tokens), try increasing it": (9000, 8192),
    "Your input exceeds the context window of this model. Please adjust your input and try again.": None,
    "Input is too long for requested model.": None,
    "The input (345516 tokens) is longer than the model's context length (262144 tokens).": (345516, 262144),
    "invalid params, context window exceeds limit (2013)": None,
    "<400> InternalError.Algo.InvalidParameter: Range of input length should be [1, 129024]": None,
    "Prompt exceeds max length": None,
    "This model's maximum prompt length is 131072 but the request contains 537812 tokens.": (537812, 131072),
    "prompt token count of 128999 exceeds the limit of 128000": (128999, 128000),
    "Total tokens of image and text exceed max message tokens. Request id: 1": None,
    "Request body too large for gpt-4o model. Max size: 8000 tokens.": None,
    "The prompt is too long: 140000, model maximum context length: 131071": (140000, 131071),
    "`inputs` must have less than 4096 tokens. Given: 5000": (5000, 4096),
    "Trying to keep the first 9000 tokens when context the overflows. However, the model is loaded with context length "
    "of only 4096 tokens, which is not enough.": (9000, 4096),
    "The number of tokens to keep from the initial prompt is greater than the context length": None,
    "max_tokens must be at least 1, got -878.": None,
    "the input length exceeds the context length": None,
    "Requested token count exceeds the model's maximum context length of 8192 tokens. You requested a total of 10000 "
    "tokens: 9000 tokens from the input messages and 1000 tokens for the completion.": (9000, 8192),
    "Request too large for model `x` on tokens per minute (TPM): Limit 6000, Requested 8000, please reduce your "
    "message size and try again.": (8000, 6000),
    "Please reduce the length of the messages or completion.": None,
    # OpenAI's older words, Azure
    "This model's maximum context length is 4097 tokens, however you requested 10007 tokens (9007 in your prompt; 1000 "
    "for the completion). Please reduce your prompt; or completion length.": (9007, 4097),
    "Invalid 'messages[1].content': string too long. Expected a string with maximum length 1048576, but got a string "
    "with length 1540820 instead.": None,
    "Invalid 'messages': array too long. Expected an array with maximum length 2048, but got an array with length 2049 "
    "instead.": None,
    "Input length (40000 tokens) exceeds the maximum allowed length (32768 tokens). Use a shorter input or enable "
    "--allow-auto-truncate.": (40000, 32768),
    "length of prompt_tokens (40000) must be less than max_seq_len (32768).": (40000, 32768),
    "Requested generation length 4096 is not possible! The provided prompt is 70000 tokens long, so generating 4096 "
    "tokens requires a sequence length of 74096, but the maximum supported sequence length is just 65536!": (
        70000,
        65536,
    ),
    "Unable to submit request because the input token count is 1200000 but the model only supports up to 1048576. "
    "Reduce the input token count and try again.": (1200000, 1048576),
    "Invalid input argument for Model 'ibm/granite': the number of input tokens 9000 cannot exceed the total tokens "
    "limit 8192 for this model": (9000, 8192),
    "Prompt length (5120) exceeds maximum input length (4096). Set log level to info": (5120, 4096),
    "Prompt length 5000 is greater than max_seq_len 4096": (5000, 4096),
    "Requested tokens (5000) exceed context window of 4096": (5000, 4096),
    "The number of tokens to keep from the initial prompt is greater than the context length (n_keep: 5186>= n_ctx: "
    "4096). Try to load the model with a larger context length": (5186, 4096),
    "inputs tokens + max_new_tokens must be <= 131072. Given: 140000 inputs tokens and 512 max_new_tokens": (
        140000,
        131072,
    ),
    "the number of tokens in the prompt (70000) exceeds the limit (65536)": (70000, 65536),
    "too many tokens: size limit exceeded by 11326 tokens. Try using shorter or fewer inputs.": None,
    "Total message token length exceed model limit (131072 tokens).": None,
    "Prompt tokens too long": None,
    "Input tokens exceed the configured limit of 272000 tokens. Your messages resulted in 300000 tokens. Please reduce "
    "the length of the messages.": (300000, 272000),
    "Unable to submit request because the input token count is 1200000 but model only supports up to 1048576.": (
        1200000,
        1048576,
    ),
    "Too many input tokens: 140000, max 131072": (140000, 131072),
    "Input too long: 140000 tokens exceeds the 131072 limit": (140000, 131072),
    "context length exceeded: 140000 > 131072": (140000, 131072),
    "Prompt tokens limit exceeded: 40000 > 32000": (40000, 32000),
    "the input prompt 140000 is above the limit 131072": (140000, 131072),
    "This model supports a maximum of 131072 tokens, but 140000 were given": (140000, 131072),
    "the maximum sequence length is 131072 but the input has 140000 tokens": (140000, 131072),
    "Prompt 超长": None,
    "litellm.ContextWindowExceededError: litellm.BadRequestError": None,
}


@pytest.mark.parametrize(("words", "numbers"), TOO_LONG.items())
def test_a_prompt_that_is_too_long(words: str, numbers: tuple[int, int] | None) -> None:
    assert is_too_long(words)
    assert most_output(words) is None
    expected = f"prompt is too long: {words}"
    if numbers is not None:
        expected = "prompt is too long: {} tokens > {} maximum".format(*numbers)
    assert prompt_too_long(words) == expected
    found = too_long(words)
    assert found is not None
    if numbers is not None:
        assert found == TooLong(*numbers)


OUTPUT = {
    "Range of max_tokens should be [1, 8192]": MostOutput(8192, of_model=True),
    "<400> InternalError.Algo.InvalidParameter: Range of max_tokens should be [1, 8192]": MostOutput(
        8192, of_model=True
    ),
    "max_tokens must be less than or equal to 4096": MostOutput(4096, of_model=True),
    "max_tokens (32000) exceeds the maximum limit of 8192": MostOutput(8192, of_model=True),
    "The max_tokens parameter must be between 1 and 16384.": MostOutput(16384, of_model=True),
    "The maximum allowed number of max_tokens is 4096": MostOutput(4096, of_model=True),
    "This endpoint's maximum context length is 131072 tokens. However, you requested about 140000 tokens (108000 of "
    "text input, 5000 of tool input, 27000 in the output).": MostOutput(18072, of_model=False),
    "Requested token count exceeds the model's maximum context length of 131072 tokens. You requested a total of "
    "135000 tokens: 103000 tokens from the input messages and 32000 tokens for the completion.": MostOutput(
        28072, of_model=False
    ),
    "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4096. Given: 3000 `inputs` tokens and 2000 "
    "`max_new_tokens`": MostOutput(1096, of_model=False),
    "input length and `max_tokens` exceed context limit: 188240 + 21333 > 200000, decrease input length": MostOutput(
        11760, of_model=False
    ),
    "You passed 1000 input tokens and requested 8000 output tokens. However, the model's context length is only 8192 "
    "tokens": MostOutput(7192, of_model=False),
    "Invalid request: Your request exceeded model token limit: 131072 (requested: 140000)": MostOutput(
        16384, of_model=False
    ),
    "Invalid request: Your request exceeded model token limit: 8192": MostOutput(4096, of_model=False),
    "max_tokens is too large: 32000. This model supports at most 16384 completion tokens, whereas you provided "
    "32000.": MostOutput(16384, of_model=True),
    "max_tokens: 128000 > 64000, which is the maximum allowed number of output tokens for claude-x": MostOutput(
        64000, of_model=True
    ),
    "The maximum tokens you requested exceeds the model limit of 4096. Try again with a maximum tokens value that is "
    "lower than 4096.": MostOutput(4096, of_model=True),
    "`max_tokens` must be less than or equal to `8192`, the maximum value for `max_tokens` is less than the "
    "`context_window` for this model": MostOutput(8192, of_model=True),
    "Invalid max_tokens value, the valid range of max_tokens is [1, 8192]": MostOutput(8192, of_model=True),
    "Invalid 'max_output_tokens': integer above maximum value. Expected a value <= 100000, but got 128000 "
    "instead.": MostOutput(100000, of_model=True),
    "Unable to submit request because it has a maxOutputTokens value of 128000 but the supported range is from 1 "
    "(inclusive) to 65537 (exclusive). Update the value and try again.": MostOutput(65536, of_model=True),
    "This model's maximum context length is 32768 tokens. However, you requested 33000 tokens (1000 in the messages, "
    "32000 in the completion).": MostOutput(31768, of_model=False),
    "'max_tokens' or 'max_completion_tokens' is too large: 32000. This model's maximum context length is 32768 tokens "
    "and your request has 1000 input tokens (32000 > 32768 - 1000).": MostOutput(31768, of_model=False),
    "This model's maximum context length is 32768 tokens. However, you requested 32000 output tokens and your prompt "
    "contains at least 1000 input tokens, for a total of at least 33000 tokens.": MostOutput(31768, of_model=False),
    "This model's maximum context length is 8192 tokens, however you requested 10007 tokens (2007 in your prompt; 8000 "
    "for the completion). Please reduce your prompt; or completion length.": MostOutput(6185, of_model=False),
    "This model's maximum context length is 16385 tokens. However, you requested 17000 tokens (8500 in the messages, "
    "500 in the functions, and 8000 in the completion).": MostOutput(7385, of_model=False),
    "This model's maximum context length is 2048 tokens. However, your request has 8 input tokens plus 2045 "
    "'max_tokens'. Please reduce one or the other.": MostOutput(2040, of_model=False),
    "The provided prompt is 63000 tokens long, so generating 4096 tokens requires a sequence length of 67096, but the "
    "maximum supported sequence length is just 65536!": MostOutput(2536, of_model=False),
    "AiError: The estimated number of input and maximum output tokens (35000) exceeded this model context window limit "
    "(24000).": MostOutput(4096, of_model=False),
    "max_total_tokens (65000) must be less than or equal to max_seq_len (65536)": MostOutput(8192, of_model=False),
    "max_tokens=38000cannot be greater than max_model_len=max_total_tokens=32768. Please request fewer output "
    "tokens.": MostOutput(32768, of_model=True),
    "Malformed input request: #/max_tokens: 64000 is not less or equal to 8192, please reformat your input": MostOutput(
        8192, of_model=True
    ),
    "#/textGenerationConfig/maxTokenCount: 9000 is not less or equal to 8192": MostOutput(8192, of_model=True),
    "#/max_gen_len: 9000 is not less or equal to 2048": MostOutput(2048, of_model=True),
    "too many tokens: max tokens must be less than or equal to 4096, the maximum output for this model - received "
    "8192.": MostOutput(4096, of_model=True),
    "max_tokens 参数非法, 取值范围为 [1, 131072]": MostOutput(131072, of_model=True),
    "invalid params, max_tokens must be in the range of (0, 40960]": MostOutput(40960, of_model=True),
    "The parameter `max_completion_tokens` specified in the request are not valid: integer above maximum value, "
    "expected a value <= 12288, but got 32000 instead.": MostOutput(12288, of_model=True),
    "max_tokens (32000) is too large for this model: at most 16384": MostOutput(16384, of_model=True),
    "Value for max_tokens is too high. Max: 8192": MostOutput(8192, of_model=True),
    "max_tokens: must be lower than 8193": MostOutput(8192, of_model=True),
    "expected max_tokens <= 8192, got 32000": MostOutput(8192, of_model=True),
    "max_tokens cannot exceed 8192": MostOutput(8192, of_model=True),
    "max_tokens limit is 8192": MostOutput(8192, of_model=True),
    "Model output limit is 8192 tokens; requested 32000.": MostOutput(8192, of_model=True),
    "This request would exceed the model's max output token limit of 8192": MostOutput(8192, of_model=True),
    "Output tokens requested (32000) exceed maximum (8192)": MostOutput(8192, of_model=True),
}


@pytest.mark.parametrize(("words", "expected"), OUTPUT.items())
def test_more_output_than_there_can_be(words: str, expected: MostOutput) -> None:
    assert most_output(words) == expected
    assert (too_long(words) is None) is expected.of_model, "only another request, or a larger context, can help"


def test_where_prompt_and_output_share_a_context_its_size_is_known() -> None:
    claude = "input length and `max_tokens` exceed context limit: 188240 + 21333 > 200000, decrease input length"
    kimi = "Invalid request: Your request exceeded model token limit: 131072 (requested: 140000)"
    assert (too_long(claude), too_long(kimi)) == (TooLong(None, 200000), TooLong(140000, 131072))


def test_what_is_counted_means_nothing_else() -> None:
    assert is_counted_too_long("prompt is too long: 9 tokens > 8 maximum")
    assert not is_counted_too_long("failed to allocate the context window")


@pytest.mark.parametrize("words", ["messages: too few", "Rate limit reached for 30000 tokens per minute", ""])
def test_other_words(words: str) -> None:
    assert most_output(words) is None
    assert not is_too_long(words)
    assert too_long(words) is None
