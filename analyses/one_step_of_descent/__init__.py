"""One layer of linear attention and one step of gradient descent, the paper's numbers and the closed form's."""
