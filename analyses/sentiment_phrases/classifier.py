"""A small BERT classifier, trained from scratch on the reviews and saved as an ordinary checkpoint."""

from collections.abc import Sequence
from pathlib import Path

import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import BertConfig, BertForSequenceClassification, PreTrainedTokenizerFast

from analyses.sentiment_phrases.reviews import CLASSES, WORDS, Review
from interp.core.progress import track

SPECIALS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
CONTEXT = 32


def word_tokenizer() -> PreTrainedTokenizerFast:
    """One token a word of the reviews, between [CLS] and [SEP]."""
    vocabulary = {word: index for index, word in enumerate([*SPECIALS, *WORDS])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    ends = [(name, vocabulary[name]) for name in ("[CLS]", "[SEP]")]
    tokenizer.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=ends)
    names = {f"{name.strip('[]').lower()}_token": name for name in SPECIALS}
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=CONTEXT, **names)


def train(reviews: Sequence[Review], folder: Path, *, steps: int = 800, batch_size: int = 64, seed: int = 0) -> Path:
    """Train on the reviews and write model and tokenizer to `folder`; AdamW, learning rate falling to 0."""
    tokenizer = word_tokenizer()
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=128,
        max_position_embeddings=CONTEXT,
        initializer_range=0.1,  # with BERT's 0.02, so narrow a model is slow to learn positions
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        id2label=dict(enumerate(CLASSES)),
        label2id={name: index for index, name in enumerate(CLASSES)},
        pad_token_id=0,
    )
    inputs = tokenizer([review.text for review in reviews], padding=True, return_tensors="pt")
    labels = torch.tensor([CLASSES.index(review.label) for review in reviews])
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = BertForSequenceClassification(config).train()
        optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=0.01)
        schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, total_iters=steps)
        for _ in track(range(steps), steps, "training"):
            rows = torch.randint(len(reviews), (batch_size,))
            batch = {name: inputs[name][rows] for name in ("input_ids", "attention_mask")}
            model(**batch, labels=labels[rows]).loss.backward()
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()
    model.eval().save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
