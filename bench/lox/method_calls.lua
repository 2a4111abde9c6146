-- Methods of a class and of one that inherits from it, called on few objects.
local Counter = {}
Counter.__index = Counter
function Counter.new(start) return setmetatable({value = start}, Counter) end
function Counter:get() return self.value end
function Counter:step() self.value = self.value + 1; return self end

local Stepper = setmetatable({}, {__index = Counter})
Stepper.__index = Stepper
function Stepper.new(start, limit)
  local self = Counter.new(start)
  self.limit, self.times = limit, 0
  return setmetatable(self, Stepper)
end
function Stepper:step()
  self.times = self.times + 1
  if self.times >= self.limit then
    Counter.step(self)
    self.times = 0
  end
  return self
end

local function run(n)
  local counter = Counter.new(0)
  local stepper = Stepper.new(0, 3)
  local seen = 0
  for i = 1, n do
    counter:step():step()
    stepper:step():step()
    seen = seen + counter:get() - stepper:get()
  end
  return seen
end
print(string.format("%g", run(3500000)))
